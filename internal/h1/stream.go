package h1

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Stream is a reply whose body is read as it comes.
type Stream struct {
	Status      int
	ContentType string
	Location    string

	x      *exchange
	closed atomic.Bool
	once   sync.Once
}

// DoStream sends a request and returns when its reply's head is there. The
// body is not bounded; ctx governs it until Close, which the caller must call.
func (p *Pool) DoStream(ctx context.Context, req *Request) (*Stream, error) {
	x := &exchange{p: p, ctx: ctx, req: req}
	err := x.begin()
	if err != nil {
		return nil, err
	}
	if x.head.encoding != identity {
		err = malformed("Content-Encoding in a stream")
	} else if !x.deadline.IsZero() {
		err = x.untime()
	}
	if err != nil {
		x.abort()
		err = x.error("read", err)
		p.leave()
		return nil, err
	}
	x.c.body = newBody(x.c, &x.head)
	p.leave() // Close does not wait for streams, it closes their connections
	return &Stream{
		Status:      x.head.status,
		ContentType: x.head.typ,
		Location:    x.head.location,
		x:           x,
	}, nil
}

// untime takes Timeout's deadline away, which has done its work, without
// taking away the one by which ctx interrupts.
func (x *exchange) untime() error {
	if !x.disarm() {
		return context.Canceled // x.error knows better
	}
	x.deadline = time.Time{}
	err := x.c.setDeadline(x.deadline)
	if x.ctx.Done() != nil {
		x.stop = context.AfterFunc(x.ctx, x.c.interrupt)
	}
	return err
}

// Read reads of the body what there is. The error at its end is io.EOF, any
// other is an [*Error]. It may be interrupted by Close from another goroutine,
// but not called from two at a time.
func (s *Stream) Read(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, s.x.error("read", net.ErrClosed)
	}
	n, err := s.x.c.body.Read(p)
	if err != nil && err != io.EOF {
		err = s.x.error("read", err)
	}
	return n, err
}

// Close ends the stream. It may be called again, and at any time.
func (s *Stream) Close() error {
	s.once.Do(func() {
		s.closed.Store(true)
		s.x.abort()
	})
	return nil
}

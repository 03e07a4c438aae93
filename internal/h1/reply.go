package h1

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"sync"
)

// Reply is a reply that was read whole.
type Reply struct {
	Status      int
	ContentType string
	Location    string // of a redirect, which is not followed
	Body        []byte // good until Release

	buf *buffer
}

// Release gives the body's memory back for other replies. Without it the
// garbage collector does. Body is nil afterwards, and releasing again is
// harmless; but copies of a Reply share the memory, and only one may release it.
func (r *Reply) Release() {
	if r.buf != nil {
		r.buf.free()
	}
	r.buf, r.Body = nil, nil
}

// Do sends a request and reads its reply. Any status is a reply; an error is
// an [*Error].
func (p *Pool) Do(ctx context.Context, req *Request) (Reply, error) {
	x := exchange{p: p, ctx: ctx, req: req}
	if err := x.begin(); err != nil {
		return Reply{}, err
	}
	buf, err := x.readBody(p.cfg.MaxReply)
	if err != nil {
		x.abort()
		p.mistrust(x.begun)
		failure := x.error("read", err)
		p.leave()
		return Reply{}, failure
	}
	x.finish()
	return Reply{
		Status:      x.head.status,
		ContentType: x.head.typ,
		Location:    x.head.location,
		Body:        buf.b,
		buf:         buf,
	}, nil
}

// readBody reads the whole body.
func (x *exchange) readBody(limit int64) (*buffer, error) {
	b := &x.c.body
	*b = newBody(x.c, &x.head)
	if x.head.length > limit && !b.done {
		return nil, ErrTooLarge
	}
	var src io.Reader = b
	switch {
	case b.done || x.head.encoding == identity:
	case x.head.encoding == gzipped:
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, gzipError(err)
		}
		src = z
	default:
		return nil, malformed("unknown Content-Encoding")
	}
	buf := newBuffer()
	if err := buf.readAll(src, int(min(b.left, trustBody)), limit); err != nil {
		buf.free()
		return nil, gzipError(err)
	}
	x.spoilt = x.spoilt || b.kind == untilClose || !b.done
	return buf, nil
}

// gzipError makes garbage that calls itself gzip a malformed reply.
func gzipError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) {
		return malformed("broken gzip")
	}
	return unexpected(err)
}

// buffer holds a body.
type buffer struct{ b []byte }

const (
	firstBody = 2 << 10
	trustBody = 256 << 10 // what is allocated on a peer's word alone
	keptBody  = 1 << 20   // a larger buffer is not kept
)

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer {
	buf := buffers.Get().(*buffer)
	buf.b = buf.b[:0]
	return buf
}

func (b *buffer) free() {
	if cap(b.b) <= keptBody {
		buffers.Put(b)
	}
}

// readAll reads src to its end. hint is how much there seems to be.
func (b *buffer) readAll(src io.Reader, hint int, limit int64) error {
	b.grow(max(hint, firstBody))
	for {
		if len(b.b) == cap(b.b) {
			b.grow(max(cap(b.b), firstBody))
		}
		n, err := src.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		switch {
		case int64(len(b.b)) > limit:
			return ErrTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// grow makes room for n more bytes.
func (b *buffer) grow(n int) {
	if cap(b.b)-len(b.b) < n {
		b.b = append(make([]byte, 0, len(b.b)+n), b.b...)
	}
}

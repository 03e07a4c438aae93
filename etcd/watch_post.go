package etcd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// A postLink carries each watch over a streaming POST of its own, which works
// through proxies that pass on nothing but plain requests. It costs a
// connection and a goroutine a watch.
type postLink struct {
	c      *Client
	ep     *endpoint
	header []byte
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	in     chan postEvent

	mu      sync.Mutex
	streams map[int64]context.CancelFunc
}

type postEvent struct {
	inMessage
	err error
}

func newPostLink(c *Client, ep *endpoint, header []byte) *postLink {
	l := &postLink{c: c, ep: ep, header: header, in: make(chan postEvent), streams: make(map[int64]context.CancelFunc)}
	l.ctx, l.cancel = context.WithCancel(c.life)
	return l
}

func (l *postLink) transport() watchTransport { return viaPost }
func (l *postLink) duplex() bool              { return false }
func (l *postLink) flow() *inflow             { return nil }

func (l *postLink) send(_ context.Context, m *outMessage) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ctx.Err() != nil:
		return l.ctx.Err() // close waits for nobody who comes now
	case m.create:
		ctx, cancel := context.WithCancel(l.ctx)
		l.streams[m.id] = cancel
		id, body := m.id, m.body
		l.wg.Go(func() {
			defer cancel()
			err := l.stream(ctx, id, body)
			l.give(ctx, postEvent{err: &lostStream{id, err}})
		})
	case m.cancel:
		if cancel := l.streams[m.id]; cancel != nil {
			cancel()
			delete(l.streams, m.id)
		}
	}
	return nil
}

// stream makes the request and passes on what it brings, until it ends.
func (l *postLink) stream(ctx context.Context, id int64, body []byte) error {
	s, err := l.ep.pool.DoStream(ctx, &h1.Request{Path: "/v3/watch", Header: l.header, Body: body, Timeout: l.c.cfg.AttemptTimeout})
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Status != 200 {
		text, _ := io.ReadAll(io.LimitReader(s, 4<<10))
		return classifyReply(h1.Reply{Status: s.Status, ContentType: s.ContentType, Body: text}, &request{}).err
	}
	frames := jsonwire.NewFrames(s, int(l.c.cfg.MaxReplyBytes))
	for {
		doc, err := frames.Next()
		if err != nil {
			return err
		}
		if endsStream(doc) {
			// The end of this stream, not of the others.
			e := parseError(doc)
			return &Error{Op: "watch", Code: e.code, Message: e.message, Kind: errorKind(e.code, e.message)}
		}
		if !l.give(ctx, postEvent{inMessage: inMessage{doc: bytes.Clone(doc), id: id}}) {
			return ctx.Err()
		}
	}
}

// endsStream reports whether a message, an object, is an error. Some servers
// write spaces.
func endsStream(doc []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(doc[1:], " \t\r\n"), []byte(`"error"`))
}

func (l *postLink) give(ctx context.Context, ev postEvent) bool {
	select {
	case l.in <- ev:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *postLink) recv() (inMessage, error) {
	select {
	case ev := <-l.in:
		return ev.inMessage, ev.err
	case <-l.ctx.Done():
		return inMessage{}, errors.New("the link is closed")
	}
}

// check has nothing to look at: what the member says for itself must do.
func (l *postLink) check(context.Context) error { return nil }

func (l *postLink) close() {
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.wg.Wait()
}

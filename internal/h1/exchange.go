package h1

import (
	"context"
	"errors"
	"os"
	"time"
)

const (
	// inlineBody is up to which size a body is written before the reply is
	// looked for.
	inlineBody = 32 << 10
	// writerGrace is how long a complete reply waits for its request's writer,
	// which normally has only to be scheduled, for the connection's sake.
	writerGrace = 100 * time.Millisecond
)

// exchange is one request on its connection.
type exchange struct {
	p        *Pool
	ctx      context.Context
	req      *Request
	begun    time.Time
	deadline time.Time

	c      *conn
	before int64       // what the connection had written before
	stop   func() bool // ends the watch over ctx
	writer chan error  // gives the result of a body that is written beside
	spoilt bool        // the connection can't serve another exchange
	head   head
}

// begin sends a request and reads the head of its reply. The call counts as in
// flight until finish or fail; after an error it no longer does.
func (x *exchange) begin() error {
	p, req := x.p, x.req
	if err := req.check(); err != nil {
		return x.error("write", err)
	}
	if end := ended(x.ctx); end != nil {
		return x.error("write", end)
	}
	if err := p.enter(); err != nil {
		return x.error("dial", err)
	}
	x.begun = time.Now()
	if req.Timeout > 0 {
		x.deadline = x.begun.Add(req.Timeout)
	}
	for {
		if err := x.connect(); err != nil {
			p.leave()
			return err
		}
		op, err := "write", x.send()
		if err == nil || x.sent() && !errors.Is(err, os.ErrDeadlineExceeded) {
			if err != nil {
				// There may still be a reply that says why.
				x.spoilt = true
				x.c.lastWords()
			}
			var rerr error
			if x.head, rerr = x.c.readHead(); rerr == nil {
				return nil
			}
			if err == nil {
				op, err = "read", rerr
			}
		}
		x.abort()
		if x.sent() {
			p.mistrust(x.begun)
		}
		if x.c.reused && !x.sent() && !p.over(x.ctx, x.deadline) {
			continue // nothing was sent: another connection may do
		}
		failure := x.error(op, err)
		p.leave()
		return failure
	}
}

// connect finds a connection and watches over ctx from there on.
func (x *exchange) connect() error {
	x.c = nil
	c := x.p.take(x.begun, x.deadline)
	if c == nil {
		var failure *Error
		c, failure = x.p.dial(x.ctx, x.deadline, nil)
		if failure != nil {
			return x.error(failure.Op, failure.Err)
		}
		if !x.p.add(c) {
			c.Close()
			return x.error("dial", ErrClosed)
		}
		if err := c.setDeadline(x.deadline); err != nil {
			x.p.drop(c)
			return x.error("dial", err)
		}
	}
	x.c, x.before = c, c.wire.written.Load()
	if x.ctx.Done() != nil {
		x.stop = context.AfterFunc(x.ctx, c.interrupt)
	}
	return nil
}

// send writes the request, or has it written.
func (x *exchange) send() error {
	c, body := x.c, x.req.Body
	c.out = x.req.appendHead(c.out[:0], x.p.common)
	if len(body) <= inlineBody {
		c.out = append(c.out, body...)
		_, err := c.Write(c.out)
		return err
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(c.out)
		if err == nil {
			_, err = c.Write(body)
		}
		if err != nil {
			c.lastWords()
		}
		done <- err
	}()
	x.writer = done
	return nil
}

// sent says whether a byte of the request may have reached the wire.
func (x *exchange) sent() bool {
	return x.c != nil && x.c.wire.written.Load() > x.before
}

// disarm ends the watch over ctx. It reports false if ctx has interrupted the
// connection.
func (x *exchange) disarm() bool {
	if x.stop == nil || x.stop() {
		x.stop = nil
		return true
	}
	<-x.c.interrupted
	x.stop = nil
	return false
}

// finish ends an exchange whose reply was read whole. The connection serves
// the next one if it can.
func (x *exchange) finish() {
	reusable := x.disarm() && !x.spoilt && !x.head.close && x.c.clean()
	if x.writer != nil && reusable {
		// A refusal may well come before the whole request was read.
		reusable = x.head.status < 400 && x.c.wire.SetWriteDeadline(time.Now().Add(writerGrace)) == nil
		if reusable {
			reusable = <-x.writer == nil
			x.writer = nil
			x.c.deadline = true // the one just set is to be taken away again
		}
	}
	if reusable {
		x.p.put(x.c)
		return
	}
	x.abort()
	x.p.leave()
}

// abort closes the connection and waits for whoever still uses it.
func (x *exchange) abort() {
	x.p.drop(x.c)
	x.disarm()
	if x.writer != nil {
		<-x.writer
		x.writer = nil
	}
}

// error describes a failure of the exchange.
func (x *exchange) error(op string, err error) *Error {
	return &Error{
		Op: op, Host: x.p.host, Path: x.req.Path,
		Sent:   x.sent(),
		Reused: x.c != nil && x.c.reused,
		Err:    x.p.explain(x.ctx, x.req.Timeout, x.deadline, err),
	}
}

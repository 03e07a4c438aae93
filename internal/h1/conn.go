package h1

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	firstBuffer = 4 << 10
	keptBuffer  = 64 << 10 // a larger buffer is not kept with an idle connection

	lastWords = 100 * time.Millisecond
)

// past is a deadline that interrupts whatever waits.
var past = time.Unix(1, 0)

// conn is one connection, used by one exchange at a time.
type conn struct {
	net.Conn       // what is written to and read from: wire, or TLS above it
	wire     *wire // the connection itself

	buf  []byte // read ahead: buf[r:w]
	r, w int
	out  []byte // where requests are put together
	body body   // of the current reply

	probe     func() bool // says, without waiting, whether the connection is alive
	idleSince time.Time
	reused    bool
	deadline  bool // a deadline is set

	// interrupt is handed to context.AfterFunc; it reports to interrupted.
	interrupt   func()
	interrupted chan struct{}
}

// wire counts what is written, below TLS, because that decides whether a
// request may have been seen.
type wire struct {
	net.Conn
	written atomic.Int64
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written.Add(int64(n))
	return n, err
}

func newConn(nc net.Conn, w *wire) *conn {
	c := &conn{Conn: nc, wire: w, interrupted: make(chan struct{}, 1)}
	c.interrupt = func() {
		c.wire.SetDeadline(past)
		c.interrupted <- struct{}{}
	}
	c.probe = newProbe(c)
	return c
}

// setDeadline sets the deadline of the coming exchange; zero is none.
func (c *conn) setDeadline(t time.Time) error {
	if t.IsZero() && !c.deadline {
		return nil
	}
	c.deadline = !t.IsZero()
	return c.wire.SetDeadline(t)
}

// Close ends the connection at once: no TLS close_notify, which could block.
// HTTP says itself where a message ends.
func (c *conn) Close() error { return c.wire.Close() }

// lastWords gives a connection that takes no more of a request a moment to say
// why. Normally it has done so, or ends at once.
func (c *conn) lastWords() {
	c.wire.SetReadDeadline(time.Now().Add(lastWords))
}

// clean says whether nothing was read beyond the replies.
func (c *conn) clean() bool { return c.r == c.w }

// shrink lets go of buffers that one large message has blown up.
func (c *conn) shrink() {
	if cap(c.buf) > keptBuffer {
		c.buf, c.r, c.w = nil, 0, 0
	}
	if cap(c.out) > keptBuffer {
		c.out = nil
	}
}

// readHead reads heads up to the final one.
func (c *conn) readHead() (head, error) {
	for i := range maxInterim + 1 {
		end, seen := 0, 0
		for {
			if end = headEnd(c.buf[c.r:c.w], seen); end > 0 && speaksHTTP(c.buf[c.r:c.w]) {
				break
			}
			if !speaksHTTP(c.buf[c.r:c.w]) {
				return head{}, notHTTP(c.buf[c.r:c.w], !c.reused && i == 0)
			}
			if seen = c.w - c.r; seen >= maxHead {
				return head{}, malformed("head without an end")
			}
			if err := c.fill(); err != nil {
				if seen > 0 {
					err = unexpected(err)
				}
				return head{}, err
			}
		}
		h, err := parseHead(c.buf[c.r : c.r+end])
		c.r += end
		switch {
		case err != nil:
			return head{}, err
		case h.status == 101:
			return head{}, malformed("protocol switched unasked")
		case h.status >= 200:
			return h, nil
		}
	}
	return head{}, malformed("too many interim replies")
}

// line reads a line of at most limit bytes, line end included. It is good
// until the next read.
func (c *conn) line(limit int) ([]byte, error) {
	for {
		pending := c.buf[c.r:min(c.w, c.r+limit)]
		if i := bytes.IndexByte(pending, '\n'); i >= 0 {
			if i == 0 || pending[i-1] != '\r' {
				return nil, malformed("line that does not end with CRLF")
			}
			c.r += i + 1
			return pending[:i-1], nil
		}
		if len(pending) == limit {
			return nil, malformed("line too long")
		}
		if err := c.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// read reads into p, from what was read ahead first.
func (c *conn) read(p []byte) (int, error) {
	if c.r == c.w {
		if len(p) >= firstBuffer/4 {
			return c.readSome(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n, nil
}

// fill reads more ahead.
func (c *conn) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w == len(c.buf) {
		if c.r > 0 {
			c.w = copy(c.buf, c.buf[c.r:c.w])
			c.r = 0
		} else {
			bigger := make([]byte, max(2*len(c.buf), firstBuffer))
			copy(bigger, c.buf)
			c.buf = bigger
		}
	}
	n, err := c.readSome(c.buf[c.w:])
	c.w += n
	return err
}

// readSome reads at least one byte or fails.
func (c *conn) readSome(p []byte) (int, error) {
	for range 100 {
		n, err := c.Conn.Read(p)
		if n > 0 {
			return n, nil // an error that came along will come again
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

package etcdtest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBuffer is how much one direction of a connection holds before a writer
// waits, about what loopback TCP holds.
const pipeBuffer = 256 << 10

// newPipe returns the two ends of a connection inside the process. Unlike
// net.Pipe it buffers, as TCP does. Blocked calls wait on channels and
// deadlines are timers, so it works in a testing/synctest bubble. What is written
// is on its way for up to a latency, to the server or from it.
func newPipe(client, server net.Addr, from, to time.Duration) (*pipeConn, *pipeConn) {
	a, b := &stream{way: way{latency: from}}, &stream{way: way{latency: to}}
	return &pipeConn{in: a, out: b, local: client, remote: server, readBy: newDeadline(), writeBy: newDeadline()},
		&pipeConn{in: b, out: a, local: server, remote: client, readBy: newDeadline(), writeBy: newDeadline()}
}

// stream is one direction of a connection.
type stream struct {
	mu      sync.Mutex
	buf     []byte
	off     int
	eof     bool          // the writer has closed; what is buffered can still be read
	broken  error         // nothing can be read or written any more
	changed chan struct{} // closed at the next change; nil while nobody waits
	way     way
}

// touch wakes everyone who waits. The caller holds the mutex.
func (st *stream) touch() {
	if st.changed != nil {
		close(st.changed)
		st.changed = nil
	}
}

// wait returns the channel of the next change. The caller holds the mutex.
func (st *stream) wait() chan struct{} {
	if st.changed == nil {
		st.changed = make(chan struct{})
	}
	return st.changed
}

func (st *stream) closeWrite() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.eof = true
	st.touch()
}

func (st *stream) breakWith(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.broken == nil {
		st.broken = err
	}
	st.touch()
}

// read takes what is there, or returns the channel to wait on.
func (st *stream) read(p []byte) (n int, wait chan struct{}, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.broken != nil:
		return 0, nil, st.broken
	case st.off < len(st.buf)-st.way.under():
		n = copy(p, st.buf[st.off:len(st.buf)-st.way.under()])
		if st.off += n; st.off == len(st.buf) {
			st.buf, st.off = st.buf[:0], 0
		}
		st.touch()
		return n, nil, nil
	case st.eof && st.off == len(st.buf):
		return 0, nil, io.EOF
	}
	return 0, st.wait(), nil
}

// write adds what fits, or returns the channel to wait on.
func (st *stream) write(p []byte) (n int, wait chan struct{}, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.broken != nil {
		return 0, nil, st.broken
	}
	if st.eof {
		return 0, nil, io.ErrClosedPipe
	}
	room := pipeBuffer - (len(st.buf) - st.off)
	if room == 0 {
		return 0, st.wait(), nil
	}
	if st.off > 0 && len(st.buf)+len(p) > cap(st.buf) {
		st.buf = st.buf[:copy(st.buf, st.buf[st.off:])]
		st.off = 0
	}
	n = min(room, len(p))
	st.buf = append(st.buf, p[:n]...)
	if !st.way.send(n, st.arrive) {
		st.touch()
	}
	return n, nil, nil
}

// pipeConn is one end of a connection.
type pipeConn struct {
	in, out         *stream
	local, remote   net.Addr
	readBy, writeBy *deadline
	once            sync.Once
}

func (c *pipeConn) Read(p []byte) (int, error) {
	for {
		late, moved := c.readBy.state()
		if late {
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		}
		n, wait, err := c.in.read(p)
		if err == io.EOF {
			return n, io.EOF
		}
		if err != nil {
			return n, c.fail("read", err)
		}
		if wait == nil || len(p) == 0 {
			return n, nil
		}
		select {
		case <-wait:
		case <-moved:
		}
	}
}

func (c *pipeConn) Write(p []byte) (int, error) {
	done := 0
	for {
		late, moved := c.writeBy.state()
		if late {
			return done, c.fail("write", os.ErrDeadlineExceeded)
		}
		n, wait, err := c.out.write(p[done:])
		done += n
		if err != nil {
			return done, c.fail("write", err)
		}
		if done == len(p) {
			return done, nil
		}
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-moved:
		}
	}
}

// Close closes this end: the other reads what was written and then io.EOF,
// and its writes fail.
func (c *pipeConn) Close() error {
	c.once.Do(func() {
		c.out.closeWrite()
		c.in.breakWith(net.ErrClosed)
		c.readBy.set(time.Time{})
		c.writeBy.set(time.Time{})
	})
	return nil
}

// reset breaks the connection: nothing that is under way arrives.
func (c *pipeConn) reset() {
	c.in.breakWith(errReset)
	c.out.breakWith(errReset)
}

func (c *pipeConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// LocalAddr returns this end's address.
func (c *pipeConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the other end's address.
func (c *pipeConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets the read and the write deadline.
func (c *pipeConn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

// SetReadDeadline ends reads under way at t, and later ones.
func (c *pipeConn) SetReadDeadline(t time.Time) error { c.readBy.set(t); return nil }

// SetWriteDeadline ends writes under way at t, and later ones.
func (c *pipeConn) SetWriteDeadline(t time.Time) error { c.writeBy.set(t); return nil }

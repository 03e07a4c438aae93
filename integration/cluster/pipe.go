package cluster

import (
	"io"
	"net"
	"regexp"
	"sync"
	"time"
)

// Direction is one of the two a connection has, seen from who dialed it.
type Direction int

const (
	// Up is from the dialer to the server.
	Up Direction = iota
	// Down is from the server to the dialer.
	Down
)

// conn is one proxied connection: two pipes that end together.
type conn struct {
	proxy          *Proxy
	client, server net.Conn
	end            sync.Once
	ended          chan struct{}

	// guarded by proxy.mu
	frozen bool   // held for ever: half-open
	doomed *Cut   // its next reply is lost
	source string // the etcd member that dialed, where it said so
}

// chunk is what was read at once, and when.
type chunk struct {
	data []byte
	read time.Time
}

// sender finds the member id etcd sends with its raft requests.
var sender = regexp.MustCompile(`(?i)\r\nX-Server-From: ([0-9a-f]+)\r\n`)

// run moves bytes until either side ends.
func (c *conn) run() {
	var pipes sync.WaitGroup
	pipes.Go(func() { c.pipe(Up, c.client, c.server) })
	pipes.Go(func() { c.pipe(Down, c.server, c.client) })
	pipes.Wait()
	c.close(false)
}

// pipe reads and writes on two goroutines, so that a delay does not also limit
// the rate.
func (c *conn) pipe(dir Direction, from, to net.Conn) {
	chunks := make(chan chunk, 64)
	var writer sync.WaitGroup
	writer.Go(func() {
		for ch := range chunks {
			if !c.await(dir, ch.read) {
				break
			}
			if _, err := to.Write(ch.data); err != nil {
				c.close(false)
				break
			}
		}
		for range chunks { // the reader must not block
		}
	})
	for {
		buf := make([]byte, 32<<10)
		n, err := from.Read(buf)
		if n > 0 {
			if !c.inspect(dir, buf[:n]) {
				break
			}
			chunks <- chunk{buf[:n], time.Now()}
		}
		if err != nil {
			if err != io.EOF {
				c.close(true)
			}
			break
		}
	}
	close(chunks)
	writer.Wait()
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() //nolint:errcheck // the other side may be gone
	}
}

// inspect applies the cuts; it reports whether the bytes travel on.
func (c *conn) inspect(dir Direction, data []byte) bool {
	p := c.proxy
	p.mu.Lock()
	var lost *Cut
	switch dir {
	case Up:
		if c.source == "" {
			if m := sender.FindSubmatch(data); m != nil {
				c.source = string(m[1])
			}
		}
		for _, cut := range p.cuts {
			if cut.left == 0 || cut.match != nil && !cut.match(data) {
				continue
			}
			if cut.reply {
				c.doomed = cut
			} else {
				lost = cut
			}
			cut.left--
			break
		}
	case Down:
		lost = c.doomed
	}
	if lost != nil {
		lost.hits++
		if lost.hits == 1 {
			close(lost.hit)
		}
	}
	p.mu.Unlock()
	if lost != nil {
		c.close(true)
	}
	return lost == nil
}

// await waits until bytes read at a time may be written in a direction; it
// reports false where the connection ended first.
func (c *conn) await(dir Direction, read time.Time) bool {
	p := c.proxy
	for {
		p.mu.Lock()
		held := c.frozen || p.held || p.blocked != nil && p.blocked(c.source, dir)
		wait := time.Until(read.Add(p.delay[dir]))
		changed := p.changed
		p.mu.Unlock()
		var due <-chan time.Time
		if !held {
			if wait <= 0 {
				return true
			}
			due = time.After(wait)
		}
		select {
		case <-due:
		case <-changed:
		case <-c.ended:
			return false
		}
	}
}

// close ends both sides, with a reset where asked, so that the peers notice at
// once and see an error rather than an end.
func (c *conn) close(reset bool) {
	c.end.Do(func() {
		close(c.ended)
		for _, side := range []net.Conn{c.client, c.server} {
			if tcp, ok := side.(*net.TCPConn); ok && reset {
				tcp.SetLinger(0) //nolint:errcheck // closing is all that is left
			}
			side.Close()
		}
	})
}

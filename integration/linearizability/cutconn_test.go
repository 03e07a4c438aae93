package linearizability

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
)

var errCut = errors.New("cut off")

// A cutter dials connections that now and then break: after the request went
// out and its answer came back, or while it goes out.
type cutter struct {
	oneIn int
	mu    sync.Mutex
	dice  *rand.Rand
}

func (c *cutter) roll() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dice.IntN(c.oneIn) == 0
}

func (c *cutter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &cutConn{nc, c}, nil
}

type cutConn struct {
	net.Conn
	c *cutter
}

// Read waits for the answer, so that the request was carried out, and then
// sometimes keeps it.
func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.c.roll() {
		c.Conn.Close()
		return 0, errCut
	}
	return n, err
}

// Write sometimes sends only half.
func (c *cutConn) Write(p []byte) (int, error) {
	if c.c.roll() {
		n, _ := c.Conn.Write(p[:len(p)/2])
		c.Conn.Close()
		return n, errCut
	}
	return c.Conn.Write(p)
}

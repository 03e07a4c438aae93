package h1

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// newProbe returns a function that says, without waiting, whether an idle
// connection has neither ended nor said anything. It may consume a byte of a
// connection of which it says no.
func newProbe(c *conn) func() bool {
	if sc, ok := c.wire.Conn.(syscall.Conn); ok {
		if probe := probeSocket(sc); probe != nil {
			return probe
		}
	}
	return func() bool { return probeByDeadline(c.Conn) }
}

// probeByDeadline reads with a deadline that has passed. In-process
// connections look at their other end before they look at the deadline.
// Others say nothing this way, and count as alive.
func probeByDeadline(nc net.Conn) bool {
	if nc.SetReadDeadline(past) != nil {
		return false
	}
	var b [1]byte
	n, err := nc.Read(b[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && nc.SetReadDeadline(time.Time{}) == nil
}

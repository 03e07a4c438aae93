package main

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A witness knows which of the processes that testified to it still live: their
// connections end with them, however they end.
type witness struct {
	t     *testing.T
	ln    net.Listener
	conns []net.Conn
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &witness{t: t, ln: ln}
	t.Cleanup(func() {
		ln.Close()
		for _, c := range w.conns {
			c.Close()
		}
	})
	return w
}

func (w *witness) address() string { return w.ln.Addr().String() }

// await waits for n processes and gives their group.
func (w *witness) await(n int) (group int) {
	w.t.Helper()
	require.NoError(w.t, w.ln.(*net.TCPListener).SetDeadline(time.Now().Add(bound)))
	for range n {
		c, err := w.ln.Accept()
		require.NoError(w.t, err)
		w.conns = append(w.conns, c)
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(w.t, err)
		var pid int
		_, err = fmt.Sscan(line, &pid, &group)
		require.NoError(w.t, err)
	}
	return group
}

// gone waits until all of them have ended.
func (w *witness) gone() {
	w.t.Helper()
	for _, c := range w.conns {
		require.NoError(w.t, c.SetReadDeadline(time.Now().Add(bound)))
		_, err := c.Read(make([]byte, 1))
		var timeout net.Error
		require.Error(w.t, err)
		require.False(w.t, asTimeout(err, &timeout), "it still runs")
	}
}

// alive reports whether any of them still runs.
func (w *witness) alive() bool {
	w.t.Helper()
	for _, c := range w.conns {
		require.NoError(w.t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := c.Read(make([]byte, 1))
		var timeout net.Error
		if asTimeout(err, &timeout) {
			return true
		}
	}
	return false
}

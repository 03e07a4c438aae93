package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

// A witness knows which of the processes that testified to it still live: their
// connections end with them, however they end.
type witness struct {
	t    *testing.T
	ln   net.Listener
	seen []*testimony
}

// A testimony is what one process said: who it is, and then, as long as it
// runs, what time it is.
type testimony struct {
	conn  net.Conn
	ended chan struct{} // closed when the connection has ended
	sign  time.Time     // its last sign of life; to be read when it has ended
	end   time.Time     // when the end was noticed; likewise
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &witness{t: t, ln: ln}
	t.Cleanup(func() {
		ln.Close()
		w.forget()
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
		p := &testimony{conn: c, ended: make(chan struct{})}
		w.seen = append(w.seen, p)
		in := bufio.NewReader(c)
		line, err := in.ReadString('\n')
		var pid int
		if err == nil {
			_, err = fmt.Sscan(line, &pid, &group)
		}
		go p.listen(in)
		require.NoError(w.t, err)
	}
	return group
}

// listen notes the signs of life until there are no more.
func (p *testimony) listen(in *bufio.Reader) {
	defer close(p.ended)
	defer func() { p.end = time.Now() }()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if n, err := strconv.ParseInt(line[:len(line)-1], 10, 64); err == nil {
			p.sign = time.Unix(0, n)
		}
	}
}

// testify tells a witness who this is, says that it did, and gives signs of
// life until the witness is gone.
func testify(address string, said io.Writer) int {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 1
	}
	fmt.Fprintln(conn, pidAndGroup())
	fmt.Fprintln(said, "ready")
	for {
		if _, err := fmt.Fprintln(conn, time.Now().UnixNano()); err != nil {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// gone waits until all of them have ended.
func (w *witness) gone() {
	w.t.Helper()
	over := time.After(bound)
	for _, p := range w.seen {
		select {
		case <-p.ended:
		case <-over:
			w.t.Fatal("it still runs")
		}
	}
}

// alive reports whether any of them still runs.
func (w *witness) alive() bool {
	for _, p := range w.seen {
		select {
		case <-p.ended:
		default:
			return true
		}
	}
	return false
}

// forget makes room for other processes.
func (w *witness) forget() {
	for _, p := range w.seen {
		p.conn.Close()
		<-p.ended
	}
	w.seen = nil
}

// goneBefore waits until all of them have ended, which none may do later than
// the vacancy: their last signs of life are older. However slow the machine, a
// vacancy is seen after it came about, so what is later than that is too late.
func (w *witness) goneBefore(v *vacancy) {
	w.t.Helper()
	w.gone()
	free := v.await()
	for _, p := range w.seen {
		require.False(w.t, p.sign.After(free), "it lived for %v beside the next", p.sign.Sub(free))
	}
}

// A vacancy is the moment at which the place of a lock's holder, or of an
// election's leader, becomes free.
type vacancy struct {
	t  *testing.T
	at chan time.Time
}

// watchFor watches for the end of a contender's key.
func watchFor(t *testing.T, c *etcd.Client, contender etcd.KV) *vacancy {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	w, err := c.Watch(ctx, etcd.Key(contender.Key), etcd.DeletesOnly())
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	v := &vacancy{t, make(chan time.Time, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(v.at)
		if _, err := w.Next(ctx); err == nil {
			v.at <- time.Now()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		w.Close()
	})
	return v
}

// await gives the moment when it has come.
func (v *vacancy) await() time.Time {
	v.t.Helper()
	at, ok := <-v.at
	require.True(v.t, ok, "the key is still there")
	return at
}

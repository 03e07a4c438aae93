package lock_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// An ear counts what a client hears of etcd: the bytes on all its connections.
type ear struct {
	*linetest.World
	heard atomic.Int64
}

// listeningConn is one of those connections.
type listeningConn struct {
	net.Conn
	ear *ear
}

func (c listeningConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.ear.heard.Add(int64(n))
	return n, err
}

// disturbed reports whether the client has heard anything since it was last asked.
func (e *ear) disturbed() bool {
	e.Settle()
	return e.heard.Swap(0) > 0
}

// listening makes a session with a client of its own.
func (w *world) listening() (*etcd.Session, *ear) {
	w.Helper()
	e := &ear{World: w.World}
	c := w.Client(func(cfg *etcd.Config) {
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.Srv.Dial(ctx, network, address)
			return listeningConn{conn, e}, err
		}
	})
	s, err := etcd.NewSession(w.Context(), c)
	require.NoError(w, err)
	w.Cleanup(func() { _ = s.Close(context.Background()) })
	return s, e
}

// A crowd waits, each with a client of its own.
type crowd struct {
	*world
	waiting []<-chan acquired
	ears    []*ear
}

func (c *crowd) join(make func(*etcd.Session) contender) {
	s, e := c.listening()
	c.waiting = append(c.waiting, c.start(c.Context(), make(s)))
	c.ears = append(c.ears, e)
	e.disturbed()
}

// disturbed gives those who have heard anything.
func (c *crowd) disturbed() (who []int) {
	for i, e := range c.ears {
		if e.disturbed() {
			who = append(who, i)
		}
	}
	return who
}

func TestNobodyButTheNextInLineHearsOfAHandOver(t *testing.T) {
	inBubble(t, func(w *world) {
		held := w.acquire(lock.New(w.Session(), "deploy"))
		c := &crowd{world: w}
		for range 6 {
			c.join(func(s *etcd.Session) contender { return lock.New(s, "deploy") })
		}
		require.Empty(w, c.disturbed(), "who comes later is nobody's business")
		for i := range c.waiting {
			w.release(held)
			held = w.gets(c.waiting[i])
			if i == 0 {
				require.Equal(w, []int{0}, c.disturbed())
			} else { // and who released
				require.Equal(w, []int{i - 1, i}, c.disturbed())
			}
		}
		w.release(held)
	})
}

func TestOnlyTheFirstWhoWaitsForPermitsHearsOfThoseThatAreGivenBack(t *testing.T) {
	inBubble(t, func(w *world) {
		sem := func(n int64) func(*etcd.Session) contender {
			return func(s *etcd.Session) contender { return permits{lock.NewSemaphore(s, "licences", 4), n} }
		}
		var held []*lock.Handle
		for range 4 {
			held = append(held, w.acquire(sem(1)(w.Session())))
		}
		c := &crowd{world: w}
		c.join(sem(4))
		for range 5 {
			c.join(sem(1))
		}
		require.Equal(w, []int{0}, c.disturbed(), "it watches the line, and has seen them come")
		before := w.Srv.Requests()
		for _, h := range held[:3] {
			w.release(h)
			require.Equal(w, []int{0}, c.disturbed())
		}
		require.Equal(w, before["/v3/kv/range"], w.Srv.Requests()["/v3/kv/range"], "and need not look")
		w.release(held[3])
		first := w.gets(c.waiting[0])
		require.Equal(w, []int{0, 1}, c.disturbed(), "the next is the first who waits now")
		w.release(first)
		for _, one := range c.waiting[1:] {
			w.release(w.gets(one))
		}
	})
}

// A reader hears of the writer that it waits for and of nobody else.
func TestReadersHearNothingUntilTheWriterTheyWaitForIsGone(t *testing.T) {
	inBubble(t, func(w *world) {
		front := w.acquire(lock.NewRW(w.Session(), "catalog"))
		writer := w.start(w.Context(), lock.NewRW(w.Session(), "catalog"))
		c := &crowd{world: w}
		for range 20 { // more than a reader looks at first
			c.join(func(s *etcd.Session) contender { return reads{lock.NewRW(s, "catalog")} })
		}
		w.release(front)
		h := w.gets(writer)
		require.Empty(w, c.disturbed())
		w.release(h)
		require.Len(w, c.disturbed(), 20)
		for _, r := range c.waiting {
			w.release(w.gets(r))
		}
	})
}

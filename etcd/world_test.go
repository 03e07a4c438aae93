package etcd

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// A World is a test in a bubble, where time is virtual: without Latency
// whatever happens by itself happens at once, which hides what goes wrong only
// where it takes time.
type World struct {
	*testing.T
	Latency time.Duration // what is written takes at most to arrive

	way way
}

// A way is in which direction what is written takes time.
type way struct{ there, back bool }

// BothWays tests f where nothing takes time and where all that is sent does.
func BothWays(t *testing.T, f func(t *World)) {
	t.Helper()
	t.Run("nothing takes time", func(t *testing.T) { way{}.test(t, f) })
	t.Run("everything takes time", func(t *testing.T) { way{true, true}.test(t, f) })
}

// EveryWay is BothWays where it may matter, too, whether requests or replies
// take the time.
func EveryWay(t *testing.T, f func(t *World)) {
	t.Helper()
	BothWays(t, f)
	t.Run("requests take time", func(t *testing.T) { way{there: true}.test(t, f) })
	t.Run("replies take time", func(t *testing.T) { way{back: true}.test(t, f) })
}

func (y way) test(t *testing.T, f func(t *World)) {
	t.Helper()
	latency := 10 * time.Millisecond
	if y == (way{}) {
		latency = 0
	}
	synctest.Test(t, func(t *testing.T) { f(&World{t, latency, y}) })
}

// Start starts an in-memory cluster. A connection that outlives its clients
// fails the test.
func (w *World) Start(opts ...etcdtest.Option) *etcdtest.Server {
	w.Helper()
	var there, back time.Duration
	if w.way.there {
		there = w.Latency
	}
	if w.way.back {
		back = w.Latency
	}
	srv := etcdtest.Start(w, append(opts[:len(opts):len(opts)], etcdtest.WithLineLatencies(there, back))...)
	w.Cleanup(func() {
		time.Sleep(time.Hour) // what the server holds up
		synctest.Wait()
		require.Zero(w, srv.Connections(), "connections left over")
	})
	return srv
}

// Slack is what n requests, one after the other, take at most with their replies.
func (w *World) Slack(n int) time.Duration { return 2 * time.Duration(n) * w.Latency }

// Settle waits until nothing gets any further by itself.
func (w *World) Settle() {
	time.Sleep(w.Slack(16))
	synctest.Wait()
}

// bothWays is BothWays with an in-memory cluster and a client of it.
func bothWays(t *testing.T, f func(t *World, srv *etcdtest.Server, c *Client), opts ...etcdtest.Option) {
	t.Helper()
	BothWays(t, func(t *World) {
		srv := t.Start(opts...)
		f(t, srv, newTestClient(t, srv))
	})
}

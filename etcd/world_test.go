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
}

// BothWays tests f where nothing takes time and where all that is sent does.
func BothWays(t *testing.T, f func(t *World)) {
	t.Helper()
	t.Run("nothing takes time", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(&World{t, 0}) }) })
	t.Run("everything takes time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(&World{t, 10 * time.Millisecond}) })
	})
}

// Start starts an in-memory cluster. A connection that outlives its clients
// fails the test.
func (w *World) Start(opts ...etcdtest.Option) *etcdtest.Server {
	w.Helper()
	srv := etcdtest.Start(w, append(opts[:len(opts):len(opts)], etcdtest.WithLineLatency(w.Latency))...)
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

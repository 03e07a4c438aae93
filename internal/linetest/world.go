// Package linetest has what the tests of locks and elections share: a cluster in
// a bubble, parties that wait, and what can befall them.
package linetest

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A World is an in-memory cluster in a bubble, where time is virtual. What is
// left over at the end fails the test: goroutines, connections.
//
// By default requests take no time, so that whatever happens by itself happens at
// once. That hides what goes wrong only where they do take time, so what matters
// is tried both ways.
type World struct {
	*testing.T
	Srv     *etcdtest.Server
	latency time.Duration // what a request takes at most, and a reply
}

// InBubble makes a world for f in which requests take no time.
func InBubble(t *testing.T, f func(*World), opts ...etcdtest.Option) {
	t.Helper()
	InTime(t, 0, f, opts...)
}

// InTime makes a world for f in which each request is on its way for up to
// latency, and each reply as well.
func InTime(t *testing.T, latency time.Duration, f func(*World), opts ...etcdtest.Option) {
	t.Helper()
	if latency > 0 {
		opts = append(opts[:len(opts):len(opts)], etcdtest.WithLatency(latency))
	}
	synctest.Test(t, func(t *testing.T) { f(&World{t, etcdtest.Start(t, opts...), latency}) })
}

// Latency is what a request takes at most, and a reply, where they take time.
const Latency = 5 * time.Millisecond

// BothWays has f tested in a world where requests take no time and in one where
// they do.
func BothWays(t *testing.T, f func(*World), opts ...etcdtest.Option) {
	t.Helper()
	for name, latency := range map[string]time.Duration{"requests take no time": 0, "requests take time": Latency} {
		t.Run(name, func(t *testing.T) { InTime(t, latency, f, opts...) })
	}
}

// Settle waits until nothing gets any further by itself.
func (w *World) Settle() {
	if w.latency > 0 {
		time.Sleep(settled * w.latency)
	}
	synctest.Wait()
}

// settled is how many requests and replies one after the other whatever happens
// by itself consists of, at most.
const settled = 16

// Slack is what n requests, one after the other, take at most with their replies.
func (w *World) Slack(n int) time.Duration { return 2 * time.Duration(n) * w.latency }

// Three members: the second is for the party that is troubled, the first for the
// others, and the third makes a quorum with it.
var Three = []etcdtest.Option{etcdtest.WithMembers(3)}

// Client makes a client of its own, as another process would have.
func (w *World) Client(change ...func(*etcd.Config)) *etcd.Client {
	w.Helper()
	cfg := etcd.Config{Endpoints: w.Srv.URLs(), Dial: w.Srv.Dial}
	for _, f := range change {
		f(&cfg)
	}
	c, err := etcd.New(cfg)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, c.Close()) })
	return c
}

// ClientAt makes a client that knows one member alone.
func (w *World) ClientAt(member int) *etcd.Client {
	w.Helper()
	return w.Client(func(cfg *etcd.Config) { cfg.Endpoints = w.Srv.URLs()[member : member+1] })
}

// Session makes a session with a client of its own.
func (w *World) Session(opts ...etcd.SessionOption) *etcd.Session {
	w.Helper()
	return w.SessionOf(w.Client(), opts...)
}

// SessionOf makes a session with that client.
func (w *World) SessionOf(c *etcd.Client, opts ...etcd.SessionOption) *etcd.Session {
	w.Helper()
	s, err := etcd.NewSession(w.Context(), c, opts...)
	require.NoError(w, err)
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// At makes a session whose client knows one member alone.
func (w *World) At(member int) *etcd.Session {
	w.Helper()
	return w.SessionOf(w.ClientAt(member))
}

// Keys gives the keys below a prefix, oldest first.
func (w *World) Keys(prefix string) []string {
	kvs := w.Srv.KeyValues(prefix)
	slices.SortStableFunc(kvs, func(a, b etcdtest.KeyValue) int { return int(a.CreateRevision - b.CreateRevision) })
	var keys []string
	for _, kv := range kvs {
		keys = append(keys, kv.Key)
	}
	return keys
}

// Late holds up the next transaction of the troubled member until the function is
// called, which carries it out then, whoever still waits for it.
func (w *World) Late() (in *etcdtest.Injected, apply func()) {
	hold := make(chan struct{})
	in = w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Late: hold})
	return in, func() { close(hold) }
}

// Guarded carries out a transaction under a guard and reports whether it was let
// through.
func (w *World) Guarded(c *etcd.Client, guard etcd.Cmp) bool {
	w.Helper()
	r, err := c.Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{guard}, Then: []etcd.Op{etcd.Put("protected", []byte("x"))}})
	require.NoError(w, err)
	return r.Succeeded
}

// Ended waits until the context has ended, and gives the cause.
func (w *World) Ended(ctx context.Context) error {
	w.Helper()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Minute):
		w.Fatal("the context has not ended within a minute")
		return nil
	}
}

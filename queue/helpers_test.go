package queue_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// A world is an in-memory cluster in a bubble, where time is virtual. What is
// left over at the end fails the test: goroutines and connections.
type world struct {
	*testing.T
	srv     *etcdtest.Server
	latency time.Duration // of a request and of its reply, at most
}

// How long a request or its reply takes at most where they take time.
const (
	usual = 5 * time.Millisecond
	long  = 50 * time.Millisecond
)

// inBubble tells a story where requests take no time: for what is counted, timed
// or held up exactly.
func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	inBubbleWith(t, 0, f, opts...)
}

// inBubbles tells a story twice: where requests take no time, and where they do.
// What goes on for ever because there is always more to do meanwhile, or relies on
// a watch that is ahead of a reply or behind it, shows only there.
func inBubbles(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	for _, latency := range []time.Duration{0, usual} {
		t.Run(pace(latency), func(t *testing.T) { inBubbleWith(t, latency, f, opts...) })
	}
}

func pace(latency time.Duration) string {
	if latency == 0 {
		return "at once"
	}
	return "in " + latency.String()
}

func inBubbleWith(t *testing.T, latency time.Duration, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	opts = append(opts[:len(opts):len(opts)], etcdtest.WithLatency(latency))
	synctest.Test(t, func(t *testing.T) { f(&world{t, etcdtest.Start(t, opts...), latency}) })
}

// settle waits until what is under way has come to rest, which takes no more than
// some requests, one after the other.
func (w *world) settle() { settle(w.latency) }

func settle(latency time.Duration) {
	time.Sleep(40 * latency)
	synctest.Wait()
}

// client makes a client of its own, as another process would have.
func (w *world) client(change ...func(*etcd.Config)) *etcd.Client {
	w.Helper()
	cfg := etcd.Config{Endpoints: w.srv.URLs(), Dial: w.srv.Dial}
	for _, f := range change {
		f(&cfg)
	}
	c, err := etcd.New(cfg)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, c.Close()) })
	return c
}

// A node is a process: a client with a session, a queue and a consumer.
type node struct {
	w *world
	c *etcd.Client
	s *etcd.Session
	q *queue.Queue[string]
	*queue.Consumer[string]
}

const name = "orders"

// data is what the keys of the queue start with.
const data = queue.Root + "q/" + name + "/"

func (w *world) queue(opts ...queue.Option) *queue.Queue[string] {
	return queue.New[string](w.client(), name, opts...)
}

// session makes a session that is ended with the test, whatever became of it.
func (w *world) session(c *etcd.Client) *etcd.Session {
	w.Helper()
	s, err := etcd.NewSession(w.Context(), c, etcd.WithTTL(10*time.Second))
	require.NoError(w, err)
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// node makes a consumer in a process of its own, and waits until it is settled.
func (w *world) node(opts ...queue.ConsumerOption) *node {
	w.Helper()
	c := w.client()
	n := w.nodeOf(c, w.session(c), opts...)
	w.settle()
	return n
}

func (w *world) nodeOf(c *etcd.Client, s *etcd.Session, opts ...queue.ConsumerOption) *node {
	w.Helper()
	n := &node{w: w, c: c, s: s, q: queue.New[string](c, name)}
	var err error
	n.Consumer, err = n.q.Consumer(s, opts...)
	require.NoError(w, err)
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = n.Close(ctx)
	})
	return n
}

// die ends a node as kill -9 would: nothing is handed back, and its lease runs
// out at once.
func (n *node) die() {
	n.w.Helper()
	require.True(n.w, n.w.srv.ExpireLease(int64(n.s.Lease())))
	n.w.settle()
}

// take receives exactly n jobs, in as many calls as it takes, within a day.
func (n *node) take(count int) []*queue.Delivery[string] {
	n.w.Helper()
	ctx, cancel := context.WithTimeout(n.w.Context(), 24*time.Hour)
	defer cancel()
	var ds []*queue.Delivery[string]
	for len(ds) < count {
		got, err := n.Receive(ctx, count-len(ds))
		require.NoError(n.w, err)
		ds = append(ds, got...)
	}
	return ds
}

func (n *node) takeOne() *queue.Delivery[string] {
	n.w.Helper()
	return n.take(1)[0]
}

// none checks that nothing is delivered for a while.
func (n *node) none(d time.Duration) {
	n.w.Helper()
	ctx, cancel := context.WithTimeout(n.w.Context(), d)
	defer cancel()
	ds, err := n.Receive(ctx, 1)
	require.ErrorIs(n.w, err, context.DeadlineExceeded)
	require.Empty(n.w, ds)
}

func (w *world) push(q *queue.Queue[string], values ...string) []string {
	w.Helper()
	ids, err := q.EnqueueMany(w.Context(), values)
	require.NoError(w, err)
	return ids
}

func values(ds []*queue.Delivery[string]) (out []string) {
	for _, d := range ds {
		out = append(out, d.Value)
	}
	return out
}

func (w *world) ackAll(ds []*queue.Delivery[string]) {
	w.Helper()
	for _, d := range ds {
		require.NoError(w, d.Ack(w.Context()))
	}
}

func (w *world) stats(q *queue.Queue[string]) queue.Stats {
	w.Helper()
	st, err := q.Stats(w.Context())
	require.NoError(w, err)
	return st
}

func (w *world) list(q *queue.Queue[string], s queue.State) (out []queue.Job) {
	w.Helper()
	for j, err := range q.List(w.Context(), s) {
		require.NoError(w, err)
		out = append(out, j)
	}
	return out
}

// keys gives the keys of the queue but for its cursors and presences.
func (w *world) keys() (out []string) {
	for _, k := range w.srv.Keys(data) {
		k = strings.TrimPrefix(k, data)
		switch {
		case k == "c/tail", k == "c/head", k == "c/soon", k == "c/due", k == "c/took", k == "c/pauses", k == "ring", strings.HasPrefix(k, "c/consumer/"):
		default:
			out = append(out, k)
		}
	}
	return out
}

// empty checks that nothing is left of any job, once all have come to rest.
func (w *world) empty() {
	w.Helper()
	w.settle()
	require.Empty(w, w.keys())
}

// txns counts the transactions that f causes.
func (w *world) txns(f func()) int {
	before := w.srv.Requests()["/v3/kv/txn"]
	f()
	return w.srv.Requests()["/v3/kv/txn"] - before
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("job ", i)
	}
	return out
}

func sorted(s []string) []string {
	sort.Strings(s)
	return s
}

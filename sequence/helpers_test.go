package sequence_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// A world is an in-memory cluster in a bubble, where time is virtual. What is
// left over at the end fails the test.
type world struct {
	*testing.T
	srv     *etcdtest.Server
	latency time.Duration // what a request takes at most, and a reply
}

// inBubble makes a world for f in which requests take no time.
func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	inTime(t, 0, f, opts...)
}

// inTime makes a world for f in which each request is on its way for up to
// latency, and each reply as well.
func inTime(t *testing.T, latency time.Duration, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	opts = append(opts[:len(opts):len(opts)], etcdtest.WithLatency(latency))
	synctest.Test(t, func(t *testing.T) { f(&world{t, etcdtest.Start(t, opts...), latency}) })
}

// someLatency is that of worlds in which requests take time.
const someLatency = 5 * time.Millisecond

// bothWays tests f where requests take no time and where they do.
func bothWays(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	for name, latency := range map[string]time.Duration{"requests take no time": 0, "requests take time": someLatency} {
		t.Run(name, func(t *testing.T) { inTime(t, latency, f, opts...) })
	}
}

// settle waits until nothing gets any further by itself.
func (w *world) settle() {
	time.Sleep(16 * w.latency)
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

// open makes a sequence with a client of its own.
func (w *world) open(name string, opts ...sequence.Option) *sequence.Sequence {
	w.Helper()
	return sequence.New(w.client(), name, opts...)
}

func (w *world) next(s *sequence.Sequence) int64 {
	w.Helper()
	n, err := s.Next(w.Context())
	require.NoError(w, err)
	return n
}

func (w *world) current(s *sequence.Sequence) int64 {
	w.Helper()
	n, err := s.Current(w.Context())
	require.NoError(w, err)
	return n
}

// start calls f on a goroutine of its own and waits until it can't get any
// further by itself.
func start[T any](w *world, f func() (T, error)) <-chan result[T] {
	c := make(chan result[T], 1)
	go func() {
		v, err := f()
		c <- result[T]{v, err}
	}()
	w.settle()
	return c
}

type result[T any] struct {
	v   T
	err error
}

func txns(f etcdtest.Fault) etcdtest.Fault {
	f.Path = "/v3/kv/txn"
	return f
}

// taking matches requests that would change the counter of a sequence that
// exists: not its creation.
func taking(name string) func(*etcdtest.Request) bool {
	key := sequence.Root + name
	return func(r *etcdtest.Request) bool {
		return r.Path == "/v3/kv/txn" && r.Puts(key) && r.Puts(key+"/mark")
	}
}

var three = []etcdtest.Option{etcdtest.WithMembers(3)}

func put(key, value string) etcd.Op { return etcd.Put(key, []byte(value)) }

package sequence_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// A world is an in-memory cluster in a bubble, where time is virtual. What is
// left over at the end fails the test.
type world struct {
	*testing.T
	srv *etcdtest.Server
}

func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(&world{t, etcdtest.Start(t, opts...)}) })
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
func start[T any](f func() (T, error)) <-chan result[T] {
	c := make(chan result[T], 1)
	go func() {
		v, err := f()
		c <- result[T]{v, err}
	}()
	synctest.Wait()
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

package lock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// A world is an in-memory cluster in a bubble, where time is virtual. What is
// left over at the end fails the test: goroutines, connections, keys.
type world struct {
	*testing.T
	srv *etcdtest.Server
}

func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t, etcdtest.Start(t, opts...)}
		f(w)
	})
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

// session makes a session with a client of its own.
func (w *world) session(opts ...etcd.SessionOption) *etcd.Session {
	w.Helper()
	s, err := etcd.NewSession(w.Context(), w.client(), opts...)
	require.NoError(w, err)
	w.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// line gives the keys in the line of a lock, oldest first.
func (w *world) line(name string) []string {
	kvs := w.srv.KeyValues(lock.Root + name + "/")
	var keys []string
	for len(keys) < len(kvs) {
		oldest := -1
		for i, kv := range kvs {
			if kv.CreateRevision != 0 && (oldest < 0 || kv.CreateRevision < kvs[oldest].CreateRevision) {
				oldest = i
			}
		}
		keys = append(keys, kvs[oldest].Key)
		kvs[oldest].CreateRevision = 0
	}
	return keys
}

// acquired is the outcome of an acquisition.
type acquired struct {
	h   *lock.Handle
	err error
}

// contender is what can be acquired.
type contender interface {
	Acquire(context.Context) (*lock.Handle, error)
}

// start acquires in a goroutine of its own, and returns once that can't get any
// further by itself.
func (w *world) start(ctx context.Context, m contender) <-chan acquired {
	c := make(chan acquired, 1)
	go func() {
		h, err := m.Acquire(ctx)
		c <- acquired{h, err}
	}()
	synctest.Wait()
	return c
}

// waits asserts that an acquisition has not come to an end.
func (w *world) waits(c <-chan acquired) {
	w.Helper()
	synctest.Wait()
	select {
	case a := <-c:
		w.Fatalf("acquired or failed instead of waiting: %v", a.err)
	default:
	}
}

// gets waits for an acquisition to succeed.
func (w *world) gets(c <-chan acquired) *lock.Handle {
	w.Helper()
	select {
	case a := <-c:
		require.NoError(w, a.err)
		return a.h
	case <-time.After(time.Minute):
		w.Fatal("not acquired within a minute")
		return nil
	}
}

// fails waits for an acquisition to fail.
func (w *world) fails(c <-chan acquired) error {
	w.Helper()
	select {
	case a := <-c:
		require.Error(w, a.err)
		require.Nil(w, a.h)
		return a.err
	case <-time.After(time.Minute):
		w.Fatal("no outcome within a minute")
		return nil
	}
}

func (w *world) acquire(m contender) *lock.Handle {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute) // no wait for ever
	defer cancel()
	h, err := m.Acquire(ctx)
	require.NoError(w, err)
	return h
}

func (w *world) release(h *lock.Handle) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute)
	defer cancel()
	require.NoError(w, h.Release(ctx))
}

// guarded carries out a transaction under the handle's guard and reports
// whether it was let through.
func (w *world) guarded(s *etcd.Session, h *lock.Handle) bool {
	w.Helper()
	return w.guardedBy(s, h.Guard())
}

func (w *world) guardedBy(s *etcd.Session, g etcd.Cmp) bool {
	w.Helper()
	r, err := s.Client().Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{g}, Then: []etcd.Op{etcd.Put("protected", []byte("x"))}})
	require.NoError(w, err)
	return r.Succeeded
}

// ended waits until the handle's context has ended, and gives the cause.
func (w *world) ended(h *lock.Handle) error {
	w.Helper()
	select {
	case <-h.Context().Done():
		return context.Cause(h.Context())
	case <-time.After(time.Minute):
		w.Fatal("the lock's context has not ended within a minute")
		return nil
	}
}

// three members: the second is for the party that is troubled, the first for
// the others, and the third makes a quorum with it.
var three = []etcdtest.Option{etcdtest.WithMembers(3)}

package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// A world is where a test takes place.
type world struct{ *linetest.World }

func inBubble(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	linetest.InBubble(t, func(w *linetest.World) { f(&world{w}) }, opts...)
}

// inTime is inBubble where requests and replies take up to latency each.
func inTime(t *testing.T, latency time.Duration, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	linetest.InTime(t, latency, func(w *linetest.World) { f(&world{w}) }, opts...)
}

// bothWays tests f where requests take no time and where they do.
func bothWays(t *testing.T, f func(w *world), opts ...etcdtest.Option) {
	t.Helper()
	linetest.BothWays(t, func(w *linetest.World) { f(&world{w}) }, opts...)
}

var three = linetest.Three

// apart gives sessions at members of their own, so that what befalls the one
// does not touch the other.
func (w *world) apart() (first, second *etcd.Session) { return w.At(0), w.At(1) }

// line gives the keys in the line of a lock, oldest first.
func (w *world) line(name string) []string { return w.Keys(lock.Root + name + "/") }

// acquired is the outcome of an acquisition.
type acquired = linetest.Outcome[*lock.Handle]

// contender is what can be acquired.
type contender interface {
	Acquire(context.Context) (*lock.Handle, error)
}

// start acquires in a goroutine of its own.
func (w *world) start(ctx context.Context, m contender) <-chan acquired {
	return linetest.Start(w, func() (*lock.Handle, error) { return m.Acquire(ctx) })
}

func (w *world) waits(c <-chan acquired) {
	w.Helper()
	linetest.Waits(w, c)
}

func (w *world) gets(c <-chan acquired) *lock.Handle {
	w.Helper()
	return linetest.Gets(w, c)
}

func (w *world) fails(c <-chan acquired) error {
	w.Helper()
	return linetest.Fails(w, c)
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
	return w.Guarded(s.Client(), g)
}

// ended waits until the handle's context has ended, and gives the cause.
func (w *world) ended(h *lock.Handle) error {
	w.Helper()
	return w.Ended(h.Context())
}

package lock_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// It is what a caller has who releases before the error of Acquire was looked at.
func TestAHandleThatNoAcquisitionGaveHoldsNothingAndSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		for _, h := range []*lock.Handle{nil, new(lock.Handle)} {
			_, down := h.Downgrade(w.Context())
			for _, err := range []error{h.Err(), h.Release(w.Context()), down, context.Cause(h.Context())} {
				require.ErrorIs(w, err, lock.ErrNotHeld)
				require.ErrorContains(w, err, "no acquisition gave")
				require.NotErrorIs(w, err, lock.ErrLost)
			}
			require.Error(w, h.Context().Err())
			require.Zero(w, h.Token())
			require.False(w, w.guarded(w.Session(), h))
		}
	})
}

func TestANilLockIsAClearError(t *testing.T) {
	var (
		ctx   = t.Context()
		m     *lock.Mutex
		rw    *lock.RWMutex
		sem   *lock.Semaphore
		ran   = func(context.Context, *lock.Handle) error { t.Error("ran without the lock"); return nil }
		errs  []error
		tried = func(_ any, err error) { errs = append(errs, err) }
	)
	type looker interface {
		State(context.Context) (*lock.State, error)
		Holder(context.Context) (lock.Contender, error)
		Waiters(context.Context) ([]lock.Contender, error)
		Break(context.Context, int64, string) (lock.Contender, error)
	}
	for _, l := range []looker{m, rw, sem} {
		tried(l.State(ctx))
		tried(l.Holder(ctx))
		tried(l.Waiters(ctx))
		tried(l.Break(ctx, 1, "stuck"))
	}
	for _, l := range []trier{m, rw, reads{rw}, permits{sem, 1}} {
		tried(l.Acquire(ctx))
		tried(l.TryAcquire(ctx))
	}
	tried(nil, m.Do(ctx, ran))
	tried(nil, rw.Do(ctx, ran))
	tried(nil, rw.DoRead(ctx, ran))
	tried(nil, sem.Do(ctx, 1, ran))
	tried(sem.Resize(ctx, 2))
	for _, p := range []lock.Part{m, rw.Reader(), rw.Writer(), sem.Weight(1)} {
		tried(lock.AcquireAll(ctx, p))
	}
	for i, err := range errs {
		require.ErrorContains(t, err, "not made by New", i)
	}
}

func TestASessionThatWasNotMadeIsNoSession(t *testing.T) {
	_, err := lock.New(new(etcd.Session), "deploy").Acquire(t.Context())
	require.ErrorContains(t, err, "no session")
}

func TestAnErrorWithoutACauseHasAText(t *testing.T) {
	require.Equal(t, `lock: acquire "deploy": failed`, (&lock.Error{Op: "acquire", Name: "deploy"}).Error())
}

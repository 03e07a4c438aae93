package lock_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

func TestWhatWasNotMadeByAConstructorIsAClearError(t *testing.T) {
	ctx := t.Context()
	const says = "not made by New"
	for _, m := range []trier{new(lock.Mutex), new(lock.RWMutex), reads{new(lock.RWMutex)}, permits{new(lock.Semaphore), 1}} {
		_, err := m.Acquire(ctx)
		require.Error(t, err)
		_, err = m.TryAcquire(ctx)
		require.Error(t, err)
	}
	_, err := lock.AcquireAll(ctx, new(lock.Mutex))
	require.ErrorContains(t, err, says)
	_, err = new(lock.Mutex).Holder(ctx)
	require.ErrorContains(t, err, says)
	_, err = new(lock.RWMutex).Break(ctx, 1, "stuck")
	require.ErrorContains(t, err, says)
	_, err = new(lock.Semaphore).Resize(ctx, 1)
	require.ErrorContains(t, err, says)
}

func TestWithoutAClientOrAFunctionThereIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		ctx := w.Context()
		var none *etcd.Client
		_, look := lock.Look(ctx, none, "deploy")
		_, broken := lock.Break(ctx, none, "deploy", 1, "stuck")
		var list error
		for _, err := range lock.All(ctx, none) {
			list = err
		}
		for _, err := range []error{look, broken, list, lock.Forget(ctx, none, "deploy")} {
			require.ErrorContains(w, err, "no client")
		}
		s := w.Session()
		for _, do := range []func(context.Context, func(context.Context, *lock.Handle) error) error{
			lock.New(s, "deploy").Do, lock.NewRW(s, "deploy").Do, lock.NewRW(s, "deploy").DoRead,
		} {
			require.ErrorContains(w, do(ctx, nil), "no function")
		}
		require.ErrorContains(w, lock.NewSemaphore(s, "licences", 1).Do(ctx, 1, nil), "no function")
		require.Empty(w, w.line("deploy"))
	})
}

func TestAForgottenTenureIsNothingToALockWithoutAQuarantine(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		w.Srv.Put(lock.Root+"deploy/held", []byte(`{"key":"x","nonce":"y"}`))
		h, err := m.TryAcquire(w.Context())
		require.NoError(w, err)
		w.release(h)
		w.release(w.acquire(m))
	})
}

package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// What happens between a look and the commit that follows it.

// heldUp holds up the next transaction of the troubled member before it is carried
// out, until the function is called.
func (w *world) heldUp() (in *etcdtest.Injected, let func()) {
	hold := make(chan struct{})
	in = w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Hold: hold})
	return in, func() { close(hold) }
}

// The key is used again by whoever comes next of the same line, so that only its
// create revision tells who was meant.
func TestABreakDoesNotTakeWhoHasTheKeyByThen(t *testing.T) {
	bothWays(t, func(w *world) {
		m := lock.New(w.At(0), "deploy")
		h := w.acquire(m)
		keys := w.line("deploy")
		operator := w.ClientAt(1)
		in, let := w.heldUp()
		done := make(chan error, 1)
		go func() {
			_, err := lock.Break(w.Context(), operator, "deploy", h.Token(), "stuck")
			done <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		w.release(h)
		again := w.acquire(m)
		require.Equal(w, keys, w.line("deploy"))
		let()
		require.ErrorIs(w, <-done, lock.ErrNotHeld)
		time.Sleep(time.Second)
		require.NoError(w, again.Err())
		w.release(again)
	}, three...)
}

func TestALimitIsNotForgottenWhenSomebodyComesInThatMoment(t *testing.T) {
	bothWays(t, func(w *world) {
		some := permits{lock.NewSemaphore(w.At(0), "licences", 3), 2}
		w.release(w.acquire(some))
		operator := w.ClientAt(1)
		in, let := w.heldUp()
		done := make(chan error, 1)
		go func() { done <- lock.Forget(w.Context(), operator, "licences") }()
		require.NoError(w, in.Await(w.Context(), 1))
		h := w.acquire(some)
		let()
		require.ErrorIs(w, <-done, lock.ErrHeld)
		_, ok := w.Srv.Get(lock.Root + "licences/settings")
		require.True(w, ok)
		w.release(h)
	}, three...)
}

func TestAResizeThatIsCarriedOutLateDoesNotUndoALaterOne(t *testing.T) {
	bothWays(t, func(w *world) {
		three := lock.NewSemaphore(w.At(1), "licences", 3)
		w.release(w.acquire(permits{three, 1}))
		_, apply := w.Late()
		five, err := three.Resize(w.Context(), 5) // repeated after the first attempt's time was up
		require.NoError(w, err)
		seven, err := five.Resize(w.Context(), 7)
		require.NoError(w, err)
		apply()
		time.Sleep(time.Minute)
		w.release(w.acquire(permits{seven, 7}))
	}, three...)
}

// Somebody has changed the settings since it looked: they are not overwritten.
func TestAResizeGoesByWhatStandsThereWhenItIsCarriedOut(t *testing.T) {
	bothWays(t, func(w *world) {
		mine, other := lock.NewSemaphore(w.At(1), "licences", 3), lock.NewSemaphore(w.At(0), "licences", 3)
		w.release(w.acquire(permits{other, 1}))
		in, let := w.heldUp()
		done := make(chan error, 1)
		go func() {
			_, err := mine.Resize(w.Context(), 5)
			done <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		w.Srv.Put(lock.Root+"licences/settings", []byte("garbage"))
		let()
		require.ErrorIs(w, <-done, lock.ErrMismatch)
		kv, _ := w.Srv.Get(lock.Root + "licences/settings")
		require.Equal(w, "garbage", string(kv.Value))
	}, three...)
}

func TestAWritersHandleEndsBeforeItsDowngradeIsSent(t *testing.T) {
	bothWays(t, func(w *world) {
		h := w.acquire(lock.NewRW(w.At(1), "catalog"))
		in, let := w.heldUp()
		down := linetest.Start(w, func() (*lock.Handle, error) { return h.Downgrade(w.Context()) })
		require.NoError(w, in.Await(w.Context(), 1))
		require.ErrorIs(w, h.Err(), lock.ErrDowngraded)
		require.ErrorIs(w, context.Cause(h.Context()), lock.ErrDowngraded)
		let()
		w.release(linetest.Gets(w, down))
	}, three...)
}

func TestAHandleEndsBeforeItsReleaseIsSent(t *testing.T) {
	for _, k := range kinds[:6] {
		bothWays(t, func(w *world) {
			s := w.At(1)
			h := w.acquire(k.mine(s))
			in, let := w.heldUp()
			done := make(chan error, 1)
			go func() { done <- h.Release(w.Context()) }()
			require.NoError(w, in.Await(w.Context(), 1))
			require.ErrorIs(w, h.Err(), lock.ErrReleased, k.name)
			require.ErrorIs(w, context.Cause(h.Context()), lock.ErrReleased, k.name)
			let()
			require.NoError(w, <-done)
		}, three...)
	}
}

// The caller's context has ended, which is why fn has returned: the lock is free
// when Do returns all the same.
func TestDoReleasesTheLockAlsoWhenItsContextHasEnded(t *testing.T) {
	inTime(t, linetest.Latency, func(w *world) {
		superseded := errors.New("the build was superseded")
		s := w.Session()
		rw, sem := lock.NewRW(s, "catalog"), lock.NewSemaphore(s, "licences", 3)
		for _, do := range []func(context.Context, func(context.Context, *lock.Handle) error) error{
			lock.New(s, "deploy").Do, rw.Do, rw.DoRead,
			func(ctx context.Context, f func(context.Context, *lock.Handle) error) error {
				return sem.Do(ctx, 2, f)
			},
		} {
			ctx, cancel := context.WithCancelCause(w.Context())
			err := do(ctx, func(ctx context.Context, h *lock.Handle) error {
				cancel(superseded)
				<-ctx.Done()
				require.NoError(w, h.Err())
				return context.Cause(ctx)
			})
			require.ErrorIs(w, err, superseded)
			require.NotErrorIs(w, err, lock.ErrLost)
			for _, name := range []string{"deploy", "catalog", "licences"} {
				require.Empty(w, w.contenders(name))
			}
		}
	})
}

// It found what the lost holder left and is late to have it end; somebody else has
// done so, the quarantine is over, and that one holds by now.
func TestWhoIsLateToBeginAQuarantineDoesNotTouchTheNextHolder(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		h := w.acquire(quarantined(other))
		_, err := lock.Break(w.Context(), other.Client(), "deploy", h.Token(), "stuck")
		require.NoError(w, err)
		w.ended(h)
		// Its lease lasts for longer than that of the one who comes first.
		w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/lease/grant", Times: 1, Delay: 3 * time.Second})
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Times: 1, Late: hold,
			Match: func(r *etcdtest.Request) bool { return r.Puts(lock.Root + "deploy/held") }})
		late := linetest.Start(w, func() (*lock.Handle, error) { return quarantined(s).TryAcquire(w.Context()) })
		began := time.Now()
		n := w.gets(w.start(w.Context(), quarantined(other)))
		require.Less(w, time.Since(began), 33*time.Second)
		require.Error(w, w.fails(late))
		require.Equal(w, 1, in.Hits())
		close(hold)
		w.Settle()
		w.release(n)
		at := time.Now()
		w.release(w.acquire(quarantined(other)))
		require.Equal(w, at, time.Now(), "it was released")
	}, three...)
}

package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// permits is a number of permits of a semaphore.
type permits struct {
	*lock.Semaphore
	n int64
}

func (p permits) Acquire(ctx context.Context) (*lock.Handle, error) {
	return p.Semaphore.Acquire(ctx, p.n)
}

// contenders gives the keys in a semaphore's line, without its settings.
func (w *world) contenders(name string) []string {
	var out []string
	for _, k := range w.line(name) {
		if k != lock.Root+name+"/settings" {
			out = append(out, k)
		}
	}
	return out
}

func TestASemaphoreGivesOutItsPermitsFirstComeFirstServed(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := func(n int64) permits { return permits{lock.NewSemaphore(w.Session(), "licences", 5), n} }
		a, b := w.acquire(sem(2)), w.acquire(sem(2))
		big := w.start(w.Context(), sem(3))
		small := w.start(w.Context(), sem(1)) // would fit, and does not pass
		w.waits(big)
		w.waits(small)
		_, err := lock.NewSemaphore(w.Session(), "licences", 5).TryAcquire(w.Context(), 1)
		require.ErrorIs(w, err, lock.ErrHeld)
		w.release(a)
		h := w.gets(big)
		w.waits(small)
		w.release(b)
		w.release(w.gets(small))
		w.release(h)
		require.Empty(w, w.contenders("licences"))
	})
}

func TestOneReleaseLetsInAllWhoFitThen(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := func(n int64) permits { return permits{lock.NewSemaphore(w.Session(), "licences", 4), n} }
		all := w.acquire(sem(4))
		var waiting []<-chan acquired
		for range 6 {
			waiting = append(waiting, w.start(w.Context(), sem(1)))
		}
		w.release(all)
		var held []*lock.Handle
		for _, c := range waiting[:4] {
			held = append(held, w.gets(c))
		}
		w.waits(waiting[4])
		w.waits(waiting[5])
		st, err := lock.Look(w.Context(), w.Client(), "licences")
		require.NoError(w, err)
		require.Len(w, st.Holders, 4)
		require.Len(w, st.Waiters, 2)
		require.Equal(w, int64(4), st.Limit)
		require.False(w, st.Holders[0].Held.IsZero(), "when it got in after its wait")
		w.release(held[2])
		w.release(held[0])
		w.release(w.gets(waiting[4]))
		w.release(w.gets(waiting[5]))
		w.release(held[1])
		w.release(held[3])
	})
}

func TestAllPartiesMustAgreeOnTheLimitAndAreToldBothNumbers(t *testing.T) {
	bothWays(t, func(w *world) {
		ctx := w.Context()
		five, eight := lock.NewSemaphore(w.Session(), "licences", 5), lock.NewSemaphore(w.Session(), "licences", 8)
		h, err := five.Acquire(ctx, 2)
		require.NoError(w, err)
		for _, try := range []func(context.Context, int64) (*lock.Handle, error){eight.Acquire, eight.TryAcquire} {
			_, err = try(ctx, 1)
			require.ErrorIs(w, err, lock.ErrMismatch)
			require.ErrorContains(w, err, "the limit is 5, not 8")
		}
		bigger, err := five.Resize(ctx, 8)
		require.NoError(w, err)
		_, err = five.Acquire(ctx, 1)
		require.ErrorContains(w, err, "the limit is 8, not 5")
		h6, err := eight.TryAcquire(ctx, 6)
		require.NoError(w, err)
		_, err = bigger.TryAcquire(ctx, 1)
		require.ErrorIs(w, err, lock.ErrHeld)
		w.release(h)
		w.release(h6)
	})
}

func TestAResizeReachesThoseWhoWait(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := lock.NewSemaphore(w.Session(), "licences", 4)
		held := w.acquire(permits{sem, 4})
		three := w.start(w.Context(), permits{lock.NewSemaphore(w.Session(), "licences", 4), 3})
		two := w.start(w.Context(), permits{lock.NewSemaphore(w.Session(), "licences", 4), 2})
		sem, err := sem.Resize(w.Context(), 7)
		require.NoError(w, err)
		h3 := w.gets(three)
		w.waits(two)
		sem, err = sem.Resize(w.Context(), 1)
		require.NoError(w, err)
		require.ErrorIs(w, w.fails(two), lock.ErrMismatch)
		require.NoError(w, held.Err(), "holders keep what they hold")
		st, err := sem.State(w.Context())
		require.NoError(w, err)
		require.Equal(w, h3.Token(), st.Holders[0].Token, "and it shows of whoever had to wait")
		w.release(held)
		_, err = sem.TryAcquire(w.Context(), 1)
		require.ErrorIs(w, err, lock.ErrHeld)
		w.release(h3)
		w.release(w.acquire(permits{sem, 1}))
	})
}

func TestALimitCanBeForgottenWhenNobodyUsesIt(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		h := w.acquire(permits{lock.NewSemaphore(s, "licences", 4), 1})
		require.ErrorIs(w, lock.Forget(w.Context(), s.Client(), "licences"), lock.ErrHeld)
		w.release(h)
		require.NoError(w, lock.Forget(w.Context(), s.Client(), "licences"))
		require.NoError(w, lock.Forget(w.Context(), s.Client(), "licences"))
		require.Empty(w, w.line("licences"))
		w.release(w.acquire(permits{lock.NewSemaphore(w.Session(), "licences", 9), 9}))
	})
}

func TestOneNameIsNotUsedForLocksOfDifferentKinds(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		sem := lock.NewSemaphore(s, "licences", 4)
		for _, held := range []bool{false, true} {
			if held {
				defer w.release(w.acquire(permits{sem, 1}))
			} else {
				w.release(w.acquire(permits{sem, 1}))
			}
			_, err := lock.New(s, "licences").Acquire(w.Context())
			require.ErrorIs(w, err, lock.ErrMismatch)
			_, err = lock.New(s, "licences").TryAcquire(w.Context())
			require.Error(w, err)
			_, err = lock.NewRW(s, "licences").AcquireRead(w.Context())
			require.ErrorIs(w, err, lock.ErrMismatch)
		}
		h := w.acquire(lock.New(s, "deploy"))
		_, err := lock.NewSemaphore(s, "deploy", 4).Acquire(w.Context(), 1)
		require.ErrorIs(w, err, lock.ErrMismatch)
		require.ErrorContains(w, err, w.line("deploy")[0])
		w.release(h)
		w.release(w.acquire(lock.New(s, "deploy")))
		require.Empty(w, w.line("deploy"), "no limit was left behind")
	})
}

func TestABadWeightOrLimitIsAClearError(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		sem := lock.NewSemaphore(s, "licences", 4)
		for weight, want := range map[int64]string{0: "not positive", -1: "not positive", 5: "5 permits are more than the limit of 4"} {
			_, err := sem.Acquire(w.Context(), weight)
			require.ErrorContains(w, err, want)
			_, err = sem.TryAcquire(w.Context(), weight)
			require.ErrorContains(w, err, want)
			_, err = lock.AcquireAll(w.Context(), sem.Weight(weight))
			require.ErrorContains(w, err, want)
		}
		_, err := lock.NewSemaphore(s, "licences", 0).Acquire(w.Context(), 1)
		require.ErrorContains(w, err, "limit is not positive")
		_, err = sem.Resize(w.Context(), 0)
		require.ErrorContains(w, err, "limit is not positive")
	})
}

func TestPermitsOfAnExpiredHolderAreGivenOutAgain(t *testing.T) {
	bothWays(t, func(w *world) {
		other, s := w.apart()
		h := w.acquire(permits{lock.NewSemaphore(s, "licences", 2), 2})
		c := w.start(w.Context(), permits{lock.NewSemaphore(other, "licences", 2), 1})
		w.Srv.Pause(1)
		<-h.Context().Done()
		w.waits(c)
		n := w.gets(c)
		require.False(w, w.guardedBy(other, h.Guard()))
		require.True(w, w.guardedBy(other, n.Guard()))
		w.release(n)
	}, three...)
}

func TestSomebodyElsesBytesInASemaphoreAreAnErrorThatNamesTheKey(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := lock.NewSemaphore(w.Session(), "licences", 4)
		w.release(w.acquire(permits{sem, 1}))
		for _, name := range []string{"694d9a7c1f0b2e05", "a", "zzz"} {
			key := lock.Root + "licences/" + name
			w.Srv.Put(key, []byte("garbage"))
			for _, get := range []func(context.Context, int64) (*lock.Handle, error){sem.Acquire, sem.TryAcquire} {
				_, err := get(w.Context(), 1)
				require.ErrorIs(w, err, lock.ErrMismatch)
				require.ErrorContains(w, err, key)
			}
			require.True(w, w.Srv.Delete(key))
		}
		settings := lock.Root + "licences/settings"
		w.Srv.Put(settings, []byte("garbage"))
		_, err := sem.Acquire(w.Context(), 1)
		require.ErrorIs(w, err, lock.ErrMismatch)
		require.ErrorContains(w, err, settings)
		kv, _ := w.Srv.Get(settings)
		require.Equal(w, "garbage", string(kv.Value))
	})
}

func TestASemaphoreWaiterSurvivesLostReplies(t *testing.T) {
	for step := range 12 {
		bothWays(t, func(w *world) {
			other, s := w.apart()
			held := w.acquire(permits{lock.NewSemaphore(other, "licences", 2), 2})
			w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Skip: step, Times: 1, LoseReply: true})
			first := w.start(w.Context(), permits{lock.NewSemaphore(s, "licences", 2), 1})
			second := w.start(w.Context(), permits{lock.NewSemaphore(s, "licences", 2), 1})
			time.Sleep(time.Second)
			w.release(held)
			h := w.gets(first)
			w.release(w.gets(second))
			w.release(h)
			time.Sleep(time.Minute)
			require.Empty(w, w.contenders("licences"))
		}, three...)
	}
}

package lock_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/lock"
)

// A limit that no number of readers reaches, all of which a writer takes, is how
// some make a read-write lock of a semaphore.
func TestAllPermitsOfTheGreatestLimitExcludeAllOthers(t *testing.T) {
	bothWays(t, func(w *world) {
		some := func(n int64) permits {
			return permits{lock.NewSemaphore(w.Session(), "licences", math.MaxInt64), n}
		}
		all := w.acquire(some(math.MaxInt64))
		for _, n := range []int64{1, math.MaxInt64} {
			_, err := some(n).TryAcquire(w.Context())
			require.ErrorIs(w, err, lock.ErrHeld)
		}
		next := w.start(w.Context(), some(math.MaxInt64))
		w.waits(next)
		st, err := lock.Look(w.Context(), w.Client(), "licences")
		require.NoError(w, err)
		require.Len(w, st.Holders, 1)
		require.Len(w, st.Waiters, 1)
		w.release(all)
		all = w.gets(next)
		one := w.start(w.Context(), some(1))
		w.waits(one)
		w.release(all)
		w.release(w.gets(one))
	})
}

// Who has got permits without a wait has left no trace of that, so whoever comes
// after the limit was made smaller cannot tell holders from those who wait.
func TestAfterTheLimitWasMadeSmallerPermitsAreStillGivenOutAsSoonAsThereIsRoom(t *testing.T) {
	bothWays(t, func(w *world) {
		five := lock.NewSemaphore(w.Session(), "licences", 5)
		waited := w.acquire(permits{five, 5})
		c := w.start(w.Context(), permits{five, 1})
		a := w.start(w.Context(), permits{five, 1})
		w.waits(c)
		w.waits(a)
		w.release(waited)
		first, second := w.gets(c), w.gets(a) // they had to wait
		third, fourth := w.acquire(permits{five, 1}), w.acquire(permits{five, 1})
		three, err := five.Resize(w.Context(), 3)
		require.NoError(w, err)
		two := w.start(w.Context(), permits{three, 2})
		one := w.start(w.Context(), permits{three, 1})
		for _, h := range []*lock.Handle{third, first} {
			w.release(h)
			w.waits(two)
			w.waits(one)
		}
		w.release(second)
		h := w.gets(two)
		w.waits(one)
		w.release(fourth)
		w.release(w.gets(one))
		w.release(h)
	})
}

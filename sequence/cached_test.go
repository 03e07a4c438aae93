package sequence_test

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

func (w *world) cached(c *sequence.Cached, n int) (got []int64) {
	w.Helper()
	for range n {
		v, err := c.Next(w.Context())
		require.NoError(w, err)
		got = append(got, v)
	}
	return got
}

func TestCachedNumbersComeFromBlocksAndTheRestIsGivenBack(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		c := s.Cached(100)
		require.Equal(w, []int64{1, 2, 3}, w.cached(c, 3))
		require.EqualValues(w, 100, w.current(s), "the block is taken")
		require.NoError(w, c.Close(w.Context()))
		require.EqualValues(w, 3, w.current(s))
		require.EqualValues(w, 4, w.next(w.open("x")))
		_, err := c.Next(w.Context())
		require.ErrorIs(w, err, sequence.ErrClosed)
		require.NoError(w, c.Close(w.Context()))
	})
}

func TestABlockOfWhichNothingWasUsedIsGivenBackWhole(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x", sequence.WithMax(30))
		c := s.Cached(10)
		w.cached(c, 8) // the next one is fetched
		w.settle()
		require.EqualValues(w, 20, w.current(s))
		w.cached(c, 2)
		require.NoError(w, c.Close(w.Context()))
		require.EqualValues(w, 10, w.current(s))

		c = s.Cached(100)
		require.Len(w, w.cached(c, 20), 20, "there are no more than that")
		_, err := c.Next(w.Context())
		require.ErrorIs(w, err, sequence.ErrExhausted)
		require.NoError(w, c.Close(w.Context()))
		require.EqualValues(w, 30, w.current(s))
		require.NoError(w, s.Cached(5).Close(w.Context()), "one that was never used")
		_, err = s.Cached(0).Next(w.Context())
		require.ErrorIs(w, err, sequence.ErrInvalid)
	})
}

func TestTheRestIsLostWhereSomebodyTookNumbersAfterIt(t *testing.T) {
	for _, same := range []bool{true, false} {
		bothWays(t, func(w *world) {
			s := w.open("x")
			other := s
			if !same {
				other = w.open("x")
			}
			c := s.Cached(10)
			w.cached(c, 3)
			require.EqualValues(w, 11, w.next(other))
			require.NoError(w, c.Close(w.Context()))
			require.EqualValues(w, 12, w.next(other))
		})
	}
}

// A value alone would not do: it can be the same again.
func TestNothingIsGivenBackTwiceAlthoughTheSequenceIsWhereItWas(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		a := s.Cached(10)
		w.cached(a, 2)
		b := w.open("x").Cached(10)
		require.Equal(w, []int64{11}, w.cached(b, 1))
		require.NoError(w, b.Close(w.Context()))
		require.NoError(w, w.open("x").Set(w.Context(), 10, sequence.Force())) // as a left it
		require.NoError(w, a.Close(w.Context()))
		require.EqualValues(w, 10, w.current(s))
	})
}

func TestTwoBlocksInARowAreGivenBackTogether(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		c := s.Cached(10)
		w.cached(c, 7)
		w.settle()
		require.EqualValues(w, 20, w.current(s))
		require.NoError(w, c.Close(w.Context()))
		require.EqualValues(w, 7, w.current(s))

		c = s.Cached(10) // 8..17
		w.cached(c, 3)
		other := w.open("x")
		require.EqualValues(w, 18, w.next(other))
		w.cached(c, 4) // 19..28 is fetched, not right behind
		w.settle()
		require.EqualValues(w, 28, w.current(s))
		require.NoError(w, c.Close(w.Context()))
		require.EqualValues(w, 18, w.current(s), "only the second block")
	})
}

func TestManyGoroutinesTakeUniqueCachedNumbersInOrder(t *testing.T) {
	bothWays(t, func(w *world) {
		var mu sync.Mutex
		var all []int64
		var wg sync.WaitGroup
		for range 3 {
			c := w.open("x").Cached(7)
			var users sync.WaitGroup
			for range 8 {
				users.Go(func() {
					mine := w.cached(c, 300)
					require.True(w, slices.IsSorted(mine))
					mu.Lock()
					defer mu.Unlock()
					all = append(all, mine...)
				})
			}
			wg.Go(func() {
				users.Wait()
				require.NoError(w, c.Close(w.Context()))
			})
		}
		wg.Wait()
		slices.Sort(all)
		require.Len(w, slices.Compact(all), 3*8*300)
	})
}

func TestAnOutageIsBridgedByWhatIsHeldAndThenToldToWhoeverWaits(t *testing.T) {
	bothWays(t, func(w *world) {
		s := sequence.New(w.client(func(c *etcd.Config) { c.RetryTimeout = -1 }), "x")
		c := s.Cached(10)
		w.cached(c, 1)
		in := w.srv.Inject(etcdtest.Fault{LoseRequest: true})
		w.cached(c, 9)
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := c.Next(ctx)
		require.Error(w, err)
		in.Remove()
		got := w.cached(c, 1)
		require.Greater(w, got[0], int64(10))
		require.NoError(w, c.Close(w.Context()))
	})
}

func TestACallerWhoGivesUpLosesNothing(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		c := s.Cached(10)
		hold := make(chan struct{})
		w.srv.Inject(etcdtest.Fault{Match: taking("x"), Hold: hold, Times: 1})
		ctx, cancel := context.WithCancel(w.Context())
		call := start(w, func() (int64, error) { return c.Next(ctx) })
		cancel()
		require.ErrorIs(w, (<-call).err, context.Canceled)
		close(hold)
		require.Equal(w, []int64{2}, w.cached(c, 1))
		require.NoError(w, c.Close(w.Context()))
	})
}

func TestAClosedCachedGivesNothingHoweverLargeItsBlocksAre(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		c := s.Cached(math.MaxInt64)
		require.Equal(w, []int64{1, 2}, w.cached(c, 2))
		require.NoError(w, c.Close(w.Context()))
		_, err := c.Next(w.Context())
		require.ErrorIs(w, err, sequence.ErrClosed)
		require.EqualValues(w, 3, w.next(s))
	})
}

func TestCloseEndsAFetchThatDoesNotReturn(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		c := s.Cached(10)
		w.srv.Inject(etcdtest.Fault{Match: taking("x"), HoldReply: make(chan struct{}), Times: 1})
		call := start(w, func() (int64, error) { return c.Next(w.Context()) })
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_ = c.Close(ctx) // nothing was given out, and what was asked for is lost
		require.Error(w, (<-call).err)
		require.Greater(w, w.next(w.open("x")), int64(1))
	})
}

// Whatever befalls the give-back, no number comes twice.
func TestALateOrLostGiveBackBringsNoNumberTwice(t *testing.T) {
	for name, f := range map[string]etcdtest.Fault{
		"late":           {Late: make(chan struct{})},
		"the reply lost": {LoseReply: true},
		"lost":           {LoseRequest: true},
		"reply late":     {DelayReply: 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(w *world) {
				late := make(chan struct{})
				if f.Late != nil {
					f.Late = late
				}
				s := w.open("x")
				c := s.Cached(10)
				w.cached(c, 3)
				f.Match, f.Times = taking("x"), 1
				in := w.srv.Inject(f)
				closed := start(w, func() (int, error) { return 0, c.Close(w.Context()) })
				other := w.open("x")
				a := w.next(other)
				require.True(w, a == 4 || a == 11, a)
				require.NoError(w, (<-closed).err)
				b := w.next(other)
				require.Equal(w, 1, in.Hits())
				close(late)
				time.Sleep(time.Minute)
				require.Greater(w, b, a)
				require.Greater(w, w.next(other), b)
				require.Greater(w, w.next(s), b+1)
			}, three...)
		})
	}
}

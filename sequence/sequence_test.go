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

func TestTheFirstUseOfANameCreatesTheSequence(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("invoices")
		_, err := s.Current(w.Context())
		require.ErrorIs(w, err, sequence.ErrNotFound)
		require.EqualValues(w, 1, w.next(s))
		require.EqualValues(w, 2, w.next(s))
		require.EqualValues(w, 2, w.current(s))
		other := w.open("invoices")
		require.EqualValues(w, 2, w.current(other))
		require.EqualValues(w, 3, w.next(other))
		require.EqualValues(w, 4, w.next(s))
		require.Equal(w, []string{"quorate/seq/invoices", "quorate/seq/invoices/mark"}, w.srv.Keys(""))
	})
}

func TestNamesDoNotSeeEachOther(t *testing.T) {
	bothWays(t, func(w *world) {
		for _, name := range []string{"a", "a/b", "a/mark", "a b", "ä", "%"} {
			require.EqualValues(w, 1, w.next(w.open(name)), name)
		}
		require.EqualValues(w, 1, w.next(w.open("", sequence.WithKey("my/key"))))
		_, ok := w.srv.Get("my/key")
		require.True(w, ok)
	})
}

func TestARangeIsContiguousAndNobodyElseGetsPartOfIt(t *testing.T) {
	bothWays(t, func(w *world) {
		a, b := w.open("x", sequence.WithStart(10), sequence.WithStep(5)), w.open("x", sequence.WithStart(10), sequence.WithStep(5))
		r, err := a.NextN(w.Context(), 3)
		require.NoError(w, err)
		require.Equal(w, []int64{10, 15, 20}, slices.Collect(r.All()))
		require.EqualValues(w, 25, w.next(b))
		r, err = a.NextN(w.Context(), 2)
		require.NoError(w, err)
		require.Equal(w, []int64{30, 35}, slices.Collect(r.All()))
	})
}

func TestCallsOfOneProcessShareCommits(t *testing.T) {
	bothWays(t, func(w *world) {
		c := w.client()
		w.next(sequence.New(c, "x"))
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Match: taking("x"), Hold: hold, Times: 1})
		before := w.srv.Revision()
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			got []int64
		)
		for i := range 100 {
			s := sequence.New(c, "x") // made alike: it is one sequence
			wg.Go(func() {
				r, err := s.NextN(w.Context(), int64(1+i%2))
				require.NoError(w, err)
				mu.Lock()
				defer mu.Unlock()
				got = slices.AppendSeq(got, r.All())
			})
		}
		w.settle()
		require.Equal(w, 1, in.Hits())
		close(hold)
		wg.Wait()
		require.LessOrEqual(w, w.srv.Revision()-before, int64(2), "one commit under way, one for all others")
		slices.Sort(got)
		require.Len(w, got, 150)
		for i, n := range got {
			require.EqualValues(w, i+2, n)
		}
	})
}

func TestConfigurationsThatDifferAreAnErrorThatTellsBoth(t *testing.T) {
	bothWays(t, func(w *world) {
		w.next(w.open("x", sequence.WithStart(5), sequence.WithMax(50)))
		s := w.open("x", sequence.WithStart(6))
		for _, call := range []func() error{
			func() error { _, err := s.Next(w.Context()); return err },
			func() error { _, err := s.Current(w.Context()); return err },
			func() error { return s.Set(w.Context(), 9) },
			func() error {
				_, _, err := s.NextIn(w.Context(), func(int64) etcd.Txn { return etcd.Txn{} })
				return err
			},
		} {
			err := call()
			var m *sequence.MismatchError
			require.ErrorAs(w, err, &m)
			require.ErrorIs(w, err, sequence.ErrMismatch)
			require.EqualValues(w, 5, m.Stored.Start)
			require.EqualValues(w, 6, m.Wanted.Start)
			require.ErrorContains(w, err, `key "quorate/seq/x" has start 5, step 1, min 1, max 50; wanted start 6`)
		}
		require.EqualValues(w, 6, w.next(w.open("x", sequence.AsFound())))
	})
}

func TestOptionsThatMakeNoSenseAreRefusedByTheFirstCall(t *testing.T) {
	bothWays(t, func(w *world) {
		c := w.client()
		for _, s := range []*sequence.Sequence{
			sequence.New(nil, "x"),
			new(sequence.Sequence),
			sequence.New(c, ""),
			sequence.New(c, string(make([]byte, 600))),
			sequence.New(c, "x", sequence.WithKey("")),
			sequence.New(c, "x", sequence.WithStep(0)),
			sequence.New(c, "x", sequence.WithMin(5), sequence.WithMax(4)),
			sequence.New(c, "x", sequence.WithMin(5), sequence.WithStart(4)),
			sequence.New(c, "x", sequence.WithMax(5), sequence.WithStart(6)),
		} {
			_, err := s.Next(w.Context())
			require.Error(w, err)
			require.NotErrorIs(w, err, etcd.ErrUnknownOutcome)
			_, err = s.Current(w.Context())
			require.Error(w, err)
			require.Error(w, s.Set(w.Context(), 1))
			_, _, err = s.NextIn(w.Context(), func(int64) etcd.Txn { return etcd.Txn{} })
			require.Error(w, err)
			_, err = s.Cached(10).Next(w.Context())
			require.Error(w, err)
		}
		_, err := sequence.New(c, "x").NextN(w.Context(), 0)
		require.ErrorIs(w, err, sequence.ErrInvalid)
		_, _, err = sequence.New(c, "x").NextIn(w.Context(), nil)
		require.ErrorIs(w, err, sequence.ErrInvalid)
		require.Empty(w, w.srv.Keys(""))
	})
}

func TestDefaultsFollowTheDirection(t *testing.T) {
	bothWays(t, func(w *world) {
		for i, c := range []struct {
			opts []sequence.Option
			want sequence.Config
		}{
			{nil, sequence.Config{Start: 1, Step: 1, Min: 1, Max: math.MaxInt64}},
			{[]sequence.Option{sequence.WithStart(-3)}, sequence.Config{Start: -3, Step: 1, Min: -3, Max: math.MaxInt64}},
			{[]sequence.Option{sequence.WithMin(7)}, sequence.Config{Start: 7, Step: 1, Min: 7, Max: math.MaxInt64}},
			{[]sequence.Option{sequence.WithStep(-2)}, sequence.Config{Start: -1, Step: -2, Min: math.MinInt64, Max: -1}},
			{[]sequence.Option{sequence.WithStep(-2), sequence.WithStart(9)}, sequence.Config{Start: 9, Step: -2, Min: math.MinInt64, Max: 9}},
		} {
			s := w.open(string(rune('a'+i)), c.opts...)
			require.Equal(w, c.want.Start, w.next(s))
			info, err := s.Info(w.Context())
			require.NoError(w, err)
			require.Equal(w, c.want, info.Config)
		}
	})
}

func TestAnExhaustedSequenceTellsWhatIsLeft(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x", sequence.WithMax(3))
		w.next(s)
		_, err := s.NextN(w.Context(), 3)
		var e *sequence.ExhaustedError
		require.ErrorAs(w, err, &e)
		require.EqualValues(w, 2, e.Left)
		require.EqualValues(w, 2, w.next(s), "the range that did not fit took none")
		require.EqualValues(w, 3, w.next(s))
		_, err = s.Next(w.Context())
		require.ErrorIs(w, err, sequence.ErrExhausted)
		require.NotErrorIs(w, err, etcd.ErrUnknownOutcome)
		_, _, err = s.NextIn(w.Context(), func(int64) etcd.Txn { return etcd.Txn{} })
		require.ErrorIs(w, err, sequence.ErrExhausted)
		// What another process has set is seen.
		require.NoError(w, w.open("x", sequence.AsFound()).Set(w.Context(), 1, sequence.Force()))
		require.EqualValues(w, 2, w.next(s))
	})
}

func TestACycleBeginsAgainAndARangeHoldsNoNumberTwice(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x", sequence.WithMin(1), sequence.WithMax(5), sequence.WithStart(4), sequence.WithCycle())
		r, err := s.NextN(w.Context(), 5)
		require.NoError(w, err)
		require.Equal(w, []int64{4, 5, 1, 2, 3}, slices.Collect(r.All()))
		require.EqualValues(w, 4, w.next(s))
		_, err = s.NextN(w.Context(), 6)
		require.ErrorIs(w, err, sequence.ErrExhausted)
		down := w.open("y", sequence.WithStep(-1), sequence.WithMin(1), sequence.WithMax(3), sequence.WithCycle())
		r, err = down.NextN(w.Context(), 3)
		require.NoError(w, err)
		require.Equal(w, []int64{3, 2, 1}, slices.Collect(r.All()))
		require.EqualValues(w, 3, w.next(down))
	})
}

func TestADeletedSequenceNeverStartsAgainByItself(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		w.srv.Delete("quorate/seq/x")
		for _, s := range []*sequence.Sequence{s, w.open("x"), w.open("x", sequence.MustExist())} {
			_, err := s.Next(w.Context())
			require.ErrorIs(w, err, sequence.ErrDeleted)
			require.ErrorContains(w, err, `"quorate/seq/x"`)
			_, err = s.Current(w.Context())
			require.ErrorIs(w, err, sequence.ErrDeleted)
			require.ErrorIs(w, s.Set(w.Context(), 100), sequence.ErrDeleted)
		}
		require.NoError(w, w.open("x").Set(w.Context(), 100, sequence.Force()))
		require.EqualValues(w, 101, w.next(s))
		// By who does not know yet that it is gone, as well.
		w.srv.Delete("quorate/seq/x")
		require.NoError(w, s.Set(w.Context(), 200, sequence.Force()))
		require.EqualValues(w, 201, w.next(s))
		// Who has seen it notices even if nothing is left of it.
		w.srv.Delete("quorate/seq/x")
		w.srv.Delete("quorate/seq/x/mark")
		for range 2 {
			_, err := s.Next(w.Context())
			require.ErrorIs(w, err, sequence.ErrDeleted)
		}
		require.NotContains(w, w.srv.Keys(""), "quorate/seq/x")
	})
}

func TestASequenceThatMustExistIsNotCreated(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x", sequence.MustExist())
		_, err := s.Next(w.Context())
		require.ErrorIs(w, err, sequence.ErrNotFound)
		require.ErrorIs(w, s.Set(w.Context(), 5), sequence.ErrNotFound)
		require.Empty(w, w.srv.Keys(""))
		w.next(w.open("x"))
		require.EqualValues(w, 2, w.next(s))
	})
}

func TestSomebodyElsesValueIsAnErrorAndIsLeftAlone(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		w.srv.Put("quorate/seq/x", []byte("17"))
		for range 2 {
			_, err := s.Next(w.Context())
			require.ErrorIs(w, err, sequence.ErrForeign)
			require.ErrorContains(w, err, `"quorate/seq/x"`)
		}
		_, err := s.Current(w.Context())
		require.ErrorIs(w, err, sequence.ErrForeign)
		require.ErrorIs(w, s.Set(w.Context(), 9, sequence.Force()), sequence.ErrForeign)
		kv, _ := w.srv.Get("quorate/seq/x")
		require.Equal(w, "17", string(kv.Value))
	})
}

func TestSetNeverGoesBackwardsUnlessForced(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x", sequence.WithMax(1000))
		require.NoError(w, s.Set(w.Context(), 100))
		require.EqualValues(w, 101, w.next(s))
		err := s.Set(w.Context(), 100)
		require.ErrorIs(w, err, sequence.ErrBackwards)
		require.ErrorContains(w, err, "101")
		require.NoError(w, s.Set(w.Context(), 101))
		require.EqualValues(w, 102, w.next(s))
		require.NoError(w, s.Set(w.Context(), 10, sequence.Force()))
		require.EqualValues(w, 11, w.next(s))
		require.ErrorIs(w, s.Set(w.Context(), 1001, sequence.Force()), sequence.ErrInvalid)
		require.ErrorIs(w, s.Set(w.Context(), 0), sequence.ErrBackwards)
		require.NoError(w, s.Set(w.Context(), 0, sequence.Force()))
		_, err = s.Current(w.Context())
		require.ErrorIs(w, err, sequence.ErrUnused)
		require.EqualValues(w, 1, w.next(s))

		down := w.open("down", sequence.WithStep(-1))
		w.next(down)
		require.NoError(w, down.Set(w.Context(), -5))
		require.ErrorIs(w, down.Set(w.Context(), -4), sequence.ErrBackwards)
		require.EqualValues(w, -6, w.next(down))
	})
}

func TestACallerWhoGivesUpBeforeAnythingIsSentTakesNoNumber(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		ctx, cancel := context.WithCancelCause(w.Context())
		cancel(context.Canceled)
		_, err := s.Next(ctx)
		require.ErrorIs(w, err, context.Canceled)
		require.NotErrorIs(w, err, etcd.ErrUnknownOutcome)

		hold := make(chan struct{})
		w.srv.Inject(etcdtest.Fault{Match: taking("x"), Hold: hold, Times: 1})
		first := start(w, func() (int64, error) { return s.Next(w.Context()) })
		ctx, cancelWait := context.WithCancel(w.Context())
		second := start(w, func() (int64, error) { return s.Next(ctx) })
		cancelWait()
		r := <-second
		require.ErrorIs(w, r.err, context.Canceled)
		require.NotErrorIs(w, r.err, etcd.ErrUnknownOutcome)
		close(hold)
		require.NoError(w, (<-first).err)
		require.EqualValues(w, 3, w.next(s))
	})
}

func TestTheOthersGoOnWhenTheSenderGivesUp(t *testing.T) {
	for _, lost := range []bool{false, true} {
		bothWays(t, func(w *world) {
			s := w.open("x")
			w.next(s)
			hold := make(chan struct{})
			w.srv.Inject(etcdtest.Fault{Match: taking("x"), Hold: hold, Times: 1})
			blocker := start(w, func() (int64, error) { return s.Next(w.Context()) })
			// These gather behind it and leave together, sent by the first.
			f := etcdtest.Fault{Match: taking("x"), Skip: 0, Times: 1, Hold: make(chan struct{})}
			if lost {
				f.Hold, f.HoldReply = nil, make(chan struct{})
			}
			ctx, cancel := context.WithCancel(w.Context())
			sender := start(w, func() (int64, error) { return s.Next(ctx) })
			var others []<-chan result[int64]
			for range 5 {
				others = append(others, start(w, func() (int64, error) { return s.Next(w.Context()) }))
			}
			in := w.srv.Inject(f)
			close(hold)
			require.NoError(w, in.Await(w.Context(), 1))
			w.settle()
			require.EqualValues(w, 2, (<-blocker).v)
			cancel()
			r := <-sender
			require.ErrorIs(w, r.err, context.Canceled)
			require.ErrorIs(w, r.err, etcd.ErrUnknownOutcome)
			var got []int64
			for _, o := range others {
				r := <-o
				require.NoError(w, r.err)
				got = append(got, r.v)
			}
			slices.Sort(got)
			require.Equal(w, []int64{4, 5, 6, 7, 8}, got, "3 was the sender's")
			require.EqualValues(w, 9, w.next(s))
		})
	}
}

func TestALateFirstAttemptChangesNothing(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.open("x")
		w.next(s)
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Match: taking("x"), Late: late, Times: 1})
		n, err := s.Next(w.Context()) // repeated when the first attempt's time was up
		require.NoError(w, err)
		require.Equal(w, 1, in.Hits())
		require.EqualValues(w, 2, n)
		kv, _ := w.srv.Get("quorate/seq/x")
		close(late)
		time.Sleep(time.Second)
		again, _ := w.srv.Get("quorate/seq/x")
		require.Equal(w, kv, again)
		require.EqualValues(w, 3, w.next(s))
	}, three...)
}

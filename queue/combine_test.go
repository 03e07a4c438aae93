package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

// A ferry carries numbers out. Each flight waits at ready until it may leave,
// and takes a second.
type ferry struct {
	combiner[int]
	gate    chan struct{} // a token lets a flight leave
	refuse  func(n int) bool
	carried [][]int
}

func newFerry() *ferry {
	f := &ferry{gate: make(chan struct{})}
	f.take = func(waiting []*part[int]) int { return min(len(waiting), 3) }
	f.ready = func(ctx context.Context) {
		select {
		case <-f.gate:
		case <-ctx.Done():
		}
	}
	f.fly = func(ctx context.Context, fl *flight[int]) bool {
		var all []int
		for _, p := range fl.parts {
			all = append(all, p.item)
		}
		f.carried = append(f.carried, all)
		time.Sleep(time.Second)
		for _, p := range fl.parts {
			if f.refuse == nil || !f.refuse(p.item) {
				p.settle(nil)
			}
		}
		return true
	}
	return f
}

func (f *ferry) doing(ctx context.Context, items ...int) <-chan []error {
	done := make(chan []error, 1)
	go func() { done <- f.doAll(ctx, items) }()
	synctest.Wait()
	return done
}

func TestWhoLeavesWhileItWaitsForItsTurnWasNotSentAndAnotherDrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFerry()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := f.doing(hurried, 1, 2) // drives
		second := f.doing(t.Context(), 3)
		for _, err := range <-first {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, etcd.ErrUnknownOutcome)
		}
		f.gate <- struct{}{}
		require.Equal(t, []error{nil}, <-second)
		require.Equal(t, [][]int{{3}}, f.carried)
		require.False(t, f.driven)
		require.Empty(t, f.waiting)
	})
}

func TestWhatAFlightDoesNotSettleGoesAgainInFrontAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFerry()
		times := 0
		f.refuse = func(n int) bool { times++; return times <= 3 && n != 2 }
		first := f.doing(t.Context(), 1, 2, 3)
		f.gate <- struct{}{}
		synctest.Wait()
		second := f.doing(t.Context(), 4, 5)
		f.gate <- struct{}{}
		require.Equal(t, make([]error, 3), <-first)
		f.gate <- struct{}{}
		require.Equal(t, make([]error, 2), <-second)
		require.Equal(t, [][]int{{1, 2, 3}, {1, 3, 4}, {5}}, f.carried)
	})
}

func TestWhoLeftDuringAFlightThatWasRefusedIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFerry()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		first := f.doing(t.Context(), 1) // drives
		second := f.doing(hurried, 2)
		times := 0
		f.refuse = func(int) bool { times++; return times <= 2 }
		f.gate <- struct{}{}
		err := (<-second)[0]
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, etcd.ErrUnknownOutcome, "it may still arrive, as far as is known then")
		f.gate <- struct{}{}
		require.Equal(t, []error{nil}, <-first)
		require.Equal(t, [][]int{{1, 2}, {1}}, f.carried)
	})
}

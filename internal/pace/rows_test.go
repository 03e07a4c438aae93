package pace_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/pace"
)

const commit = time.Millisecond

// takes lets pass the time of a commit, or of a look.
func takes(ctx context.Context) error { return pace.Sleep(ctx, commit) }

// still is a look at a key that nobody changes any more.
func still(ctx context.Context) (bool, error) { return true, takes(ctx) }

// practised gives Rows that know how long a commit takes.
func practised(t *testing.T) *pace.Rows {
	r := &pace.Rows{Length: 16}
	for range 200 {
		begin := time.Now()
		require.NoError(t, takes(t.Context()))
		r.Won(begin, 0)
	}
	return r
}

func TestCallersWhoWaitForAShorterTimeThanALoserSleepsGetThroughTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := practised(t)
		r.Lost(1)
		r.Lost(2)
		for tries := 1; ; tries++ {
			require.LessOrEqual(t, tries, 10)
			ctx, cancel := context.WithTimeout(t.Context(), 3*commit)
			err := r.Ready(ctx, still)
			cancel()
			if err == nil {
				return
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
}

func TestWhoLostLongAgoDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := practised(t)
		r.Lost(1)
		r.Lost(2)
		time.Sleep(time.Minute)
		begin := time.Now()
		require.NoError(t, r.Ready(t.Context(), still))
		require.Zero(t, time.Since(begin))
	})
}

func TestWhoLostTwiceJustNowSleepsAndListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := practised(t)
		r.Lost(1)
		require.NoError(t, r.Ready(t.Context(), nil), "once is nothing")
		r.Lost(2)
		looks, begin := 0, time.Now()
		require.NoError(t, r.Ready(t.Context(), func(ctx context.Context) (bool, error) {
			looks++
			return looks > 5, takes(ctx)
		}))
		require.Equal(t, 6, looks, "in pairs, until the second shows what the first did")
		require.Greater(t, time.Since(begin), 10*commit)
	})
}

// rest makes rows win until they are to keep quiet, and gives for how long.
func rest(t *testing.T, r *pace.Rows, rung int64) time.Duration {
	for range 20 {
		begin := time.Now()
		require.NoError(t, takes(t.Context()))
		r.Won(begin, rung)
		begin = time.Now()
		require.NoError(t, r.Ready(t.Context(), still))
		if d := time.Since(begin); d > 0 {
			return d
		}
	}
	return 0
}

func TestAWinnerIsQuietForLongerWhileOthersRingAndDoNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := practised(t)
		rest(t, r, 1) // may be an old ring
		var last time.Duration
		for rung := range int64(4) {
			now := rest(t, r, 2+rung)
			require.Greater(t, now, last)
			last = now
		}
		require.LessOrEqual(t, rest(t, r, 10), last+2*commit, "within limits")
		rest(t, r, 10)
		require.Zero(t, rest(t, r, 10), "whoever rang has gone")
	})
}

func TestAWinnerIsQuietOnlyUntilSomebodyHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := practised(t)
		rest(t, r, 1)
		for range 16 {
			begin := time.Now()
			require.NoError(t, takes(t.Context()))
			r.Won(begin, 2)
		}
		looks := 0
		require.NoError(t, r.Ready(t.Context(), func(ctx context.Context) (bool, error) {
			looks++
			return false, takes(ctx)
		}))
		require.Equal(t, 1, looks)
	})
}

package sequence_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// With commits that take a millisecond, 8 goroutines get 8 numbers a
// millisecond as long as their process is alone.
func TestProcessesThatContendShareFairlyAndLoseLittle(t *testing.T) {
	for _, processes := range []int{1, 2, 8} {
		inBubble(t, func(w *world) {
			const long = 2 * time.Second
			w.next(w.open("x"))
			w.srv.Inject(etcdtest.Fault{Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
			ctx, cancel := context.WithTimeout(w.Context(), long)
			defer cancel()
			var (
				wg     sync.WaitGroup
				counts = make([][8]int, processes)
				before = w.srv.Revision()
			)
			for p := range counts {
				s := w.open("x")
				for g := range 8 {
					wg.Go(func() {
						for ctx.Err() == nil {
							if _, err := s.Next(w.Context()); err == nil {
								counts[p][g]++
							}
						}
					})
				}
			}
			wg.Wait()
			ideal := 8 * int(long/time.Millisecond)
			total, least := 0, ideal
			for _, c := range counts {
				sum := 0
				for _, n := range c {
					sum += n
				}
				total += sum
				least = min(least, sum)
			}
			commits := w.srv.Revision() - before
			w.Logf("%d processes: %d of %d numbers, the least %d, %d commits", processes, total, ideal, least, commits)
			require.Greater(w, total, ideal/2)
			require.Greater(w, least, total/processes/5)
			require.Less(w, commits, int64(ideal/8*3/2), "attempts that fail are few")
		})
	}
}

func TestWhereCommitsAreSlowRowsAreShort(t *testing.T) {
	inBubble(t, func(w *world) {
		w.next(w.open("x"))
		w.srv.Inject(etcdtest.Fault{Delay: 20 * time.Millisecond, DelayReply: 20 * time.Millisecond})
		ctx, cancel := context.WithCancel(w.Context())
		var wg sync.WaitGroup
		for range 2 {
			s := w.open("x")
			for range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = s.Next(w.Context())
					}
				})
			}
		}
		time.Sleep(5 * time.Second)
		single, worst := w.open("x"), time.Duration(0)
		for range 10 {
			begin := time.Now()
			w.next(single)
			worst = max(worst, time.Since(begin))
			time.Sleep(100 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		w.Logf("worst %v", worst)
		require.Less(w, worst, 2500*time.Millisecond, "a row of 48 commits alone would take 1.9 s")
	})
}

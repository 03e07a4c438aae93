package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// With commits that take a millisecond, 8 goroutines add 8 jobs a millisecond as
// long as their process is alone.
func TestProducersThatContendShareFairlyAndLoseLittle(t *testing.T) {
	for _, processes := range []int{1, 2, 4} {
		inBubble(t, func(w *world) {
			const long = 2 * time.Second
			w.push(w.queue(), "first")
			w.srv.Inject(etcdtest.Fault{Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
			ctx, cancel := context.WithTimeout(w.Context(), long)
			defer cancel()
			var (
				wg     sync.WaitGroup
				counts = make([][8]int, processes)
				before = w.srv.Revision()
			)
			for p := range counts {
				q := w.queue()
				for g := range 8 {
					wg.Go(func() {
						for ctx.Err() == nil {
							if _, err := q.Enqueue(w.Context(), "job"); err == nil {
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
			w.Logf("%d processes: %d of %d jobs, the least %d, %d commits", processes, total, ideal, least, commits)
			require.Greater(w, total, ideal/2)
			require.Greater(w, least, total/processes/3)
			require.Less(w, commits, int64(ideal/8*3/2), "attempts that fail are few")
			require.EqualValues(w, total+1, w.stats(w.queue()).Ready, "and nothing is lost or there twice")
		})
	}
}

// A producer that adds a job now and then gets through among those that add as
// fast as they can.
func TestASingleJobGetsThroughAmongBusyProducers(t *testing.T) {
	inBubble(t, func(w *world) {
		w.push(w.queue(), "first")
		w.srv.Inject(etcdtest.Fault{Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
		ctx, cancel := context.WithCancel(w.Context())
		var wg sync.WaitGroup
		for range 2 {
			q := w.queue()
			for range 8 {
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = q.Enqueue(w.Context(), "job")
					}
				})
			}
		}
		time.Sleep(time.Second)
		var (
			single = w.queue()
			sum    time.Duration
			worst  time.Duration
		)
		const jobs = 50
		for range jobs {
			begin := time.Now()
			_, err := single.Enqueue(w.Context(), "single")
			require.NoError(w, err)
			took := time.Since(begin)
			sum, worst = sum+took, max(worst, took)
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		w.Logf("mean %v, worst %v", sum/jobs, worst)
		require.Less(w, sum/jobs, 30*time.Millisecond)
		require.Less(w, worst, 200*time.Millisecond)
	})
}

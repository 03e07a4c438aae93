package queue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

func TestAWorkerWorksOffEveryJobOnce(t *testing.T) {
	inShops(t, func(s *shop) {
		var jobs []string
		for i := range 500 {
			jobs = append(jobs, fmt.Sprint(i))
		}
		s.push(jobs...)
		var mu sync.Mutex
		got := map[string]int{}
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			mu.Lock()
			defer mu.Unlock()
			got[d.Value]++
			return nil
		}, drain)
		require.NoError(s, c.ended())
		require.Len(s, got, len(jobs))
		for job, n := range got {
			require.Equal(s, 1, n, job)
		}
		require.Len(s, c.seen(), len(jobs))
		require.Zero(s, s.stats().Claims)
	})
}

func TestAWorkerRunsAsManyJobsAtOnceAsItIsTold(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("1", "2", "3", "4", "5", "6", "7", "8", "9")
		var now, most atomic.Int32
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return nil
		}, drain, func(cfg *queue.WorkerConfig) { cfg.Concurrency = 3 })
		require.NoError(s, c.ended())
		require.EqualValues(s, 3, most.Load())
	})
}

func TestAJobThatComesWhileTheWorkerWaitsIsBegunAtOnce(t *testing.T) {
	inShops(t, func(s *shop) {
		began := make(chan time.Time, 1)
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			began <- time.Now()
			return nil
		})
		time.Sleep(time.Minute)
		at := time.Now()
		s.push("one")
		require.Less(s, (<-began).Sub(at), 50*time.Millisecond)
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestMiddlewareIsCalledFirstOneOutermostAndMayChangeContextAndError(t *testing.T) {
	type key struct{}
	inShops(t, func(s *shop) {
		s.push("one")
		var mu sync.Mutex
		var calls []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, fmt.Sprintf(format, args...))
		}
		c := s.work(func(ctx context.Context, d *queue.Delivery[string]) error {
			note("handler %s %v", d.Value, ctx.Value(key{}))
			return errors.New("failed")
		}, drain, func(cfg *queue.WorkerConfig) {
			cfg.Middleware = []queue.Middleware{
				func(ctx context.Context, j queue.Job, next func(context.Context) error) error {
					note("outer %d", j.Attempt)
					require.EqualError(s, next(ctx), "failed")
					note("outer again")
					return nil
				},
				func(ctx context.Context, _ queue.Job, next func(context.Context) error) error {
					note("inner")
					return next(context.WithValue(ctx, key{}, "value"))
				},
			}
		})
		require.NoError(s, c.ended())
		require.Equal(s, []string{"outer 1", "inner", "handler one value", "outer again"}, calls)
		require.Equal(s, []queue.Verdict{queue.Done}, c.verdicts())
	})
}

func TestAHandlerMaySettleTheDeliveryItself(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("ack", "dead", "nack")
		c := s.work(func(ctx context.Context, d *queue.Delivery[string]) error {
			switch d.Value {
			case "ack":
				return d.Ack(ctx)
			case "dead":
				require.NoError(s, d.Dead(ctx, "I say so"))
				return errors.New("of no consequence")
			}
			return d.Nack(ctx, 24*time.Hour)
		})
		soon()
		c.stop()
		require.NoError(s, c.ended())
		for _, o := range c.seen() {
			require.Equal(s, queue.Settled, o.What)
		}
		require.Len(s, c.seen(), 3)
		st := s.stats()
		require.EqualValues(s, []int64{0, 0, 1, 1}, []int64{st.Ready, st.Claimed, st.Delayed, st.Dead})
		require.Equal(s, "I say so", s.jobs(queue.Dead)[0].Reason)
	})
}

func TestRunRefusesAConfigurationThatMakesNoSense(t *testing.T) {
	inShops(t, func(s *shop) {
		for _, c := range []struct {
			change func(*queue.WorkerConfig)
			says   string
		}{
			{func(c *queue.WorkerConfig) { c.Concurrency = -1 }, "the concurrency -1"},
			{func(c *queue.WorkerConfig) { c.Timeout = -1 }, "the timeout of a job is negative"},
			{func(c *queue.WorkerConfig) { c.RetryMin, c.RetryMax = 2, 1 }, "the time between attempts"},
			{func(c *queue.WorkerConfig) { c.MaxAttempts = -1 }, "the maximum of attempts -1"},
			{func(c *queue.WorkerConfig) { c.Middleware = []queue.Middleware{nil} }, "a middleware is nil"},
			{func(c *queue.WorkerConfig) { c.Prefetch = 1e6 }, "the prefetch 1000000"},
		} {
			err := s.work(hang, c.change).ended()
			require.ErrorContains(s, err, c.says)
			require.ErrorContains(s, err, `queue: work "jobs"`)
		}
		require.ErrorContains(s, s.work(nil).ended(), "no handler")
	})
}

func TestAWorkerRunsOnce(t *testing.T) {
	inShops(t, func(s *shop) {
		c := s.work(hang)
		soon()
		require.ErrorContains(s, c.Run(s.Context()), "can run once")
		c.runs()
		c.stop()
		require.NoError(s, c.ended())
		require.Error(s, c.Run(s.Context()))
	})
}

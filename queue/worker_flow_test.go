package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func TestManyJobsThatAreDoneAtOnceAreAcknowledgedTogether(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(400)...)
		gate := make(chan struct{})
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			<-gate
			return nil
		}, func(cfg *queue.WorkerConfig) { cfg.Concurrency = 400 })
		soon()
		before := s.srv.Requests()["/v3/kv/txn"]
		close(gate)
		soon()
		require.Len(s, c.seen(), 400)
		require.Less(s, s.srv.Requests()["/v3/kv/txn"]-before, 20)
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestAHandlerIsFreeForTheNextJobWhileItsLastIsBeingAcknowledged(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("1", "2", "3")
		var began atomic.Int32
		slow := s.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Delay: 10 * time.Second,
			Match: func(*etcdtest.Request) bool { return began.Load() > 0 }})
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			began.Add(1)
			return nil
		}, prefetch(2), func(cfg *queue.WorkerConfig) { cfg.Concurrency = 1 })
		soon()
		require.Greater(s, began.Load(), int32(1))
		require.Empty(s, c.seen(), "none is acknowledged yet")
		slow.Remove()
		time.Sleep(time.Minute)
		require.Equal(s, []queue.Verdict{queue.Done, queue.Done, queue.Done}, c.verdicts())
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestFastHandlersHaveJobsAtHandAndWhatTurnsOutTooMuchIsHandedBack(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(1000)...)
		slow := make([]string, 500)
		for i := range slow {
			slow[i] = "slow"
		}
		s.push(slow...)
		var fast, most atomic.Int64
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			if d.Value == "slow" {
				time.Sleep(time.Hour / 2)
				return nil
			}
			fast.Add(1)
			time.Sleep(time.Millisecond)
			return nil
		}, func(cfg *queue.WorkerConfig) { cfg.StopTimeout = -1 })
		for fast.Load() < 1000 {
			st := s.stats()
			most.Store(max(most.Load(), st.Claimed))
			time.Sleep(10 * time.Millisecond)
		}
		require.Greater(s, most.Load(), int64(50), "about 200 are done in 50 ms")
		require.Less(s, most.Load(), int64(700))
		time.Sleep(5 * time.Second)
		st := s.stats()
		require.LessOrEqual(s, st.Claimed, int64(3*4), "four are worked on")
		require.EqualValues(s, 500, st.Claimed+st.Ready)
		for _, j := range s.jobs(queue.Ready)[:10] {
			require.Zero(s, j.Attempt)
		}
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestAWorkerOfLongJobsClaimsNoneInAdvance(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(50)...)
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			time.Sleep(time.Second)
			return nil
		})
		for range 5 {
			time.Sleep(time.Second)
			require.LessOrEqual(s, s.stats().Claimed, int64(8))
		}
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestWhenAllHandlersHangOthersGetWhatWasClaimedInAdvance(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(500)...)
		release := make(chan struct{})
		defer close(release)
		var done atomic.Int64
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			if done.Add(1) > 300 {
				<-release
			}
			time.Sleep(5 * time.Millisecond)
			return nil
		})
		for done.Load() < 304 {
			time.Sleep(time.Millisecond)
		}
		require.Greater(s, s.stats().Claimed, int64(4), "some are claimed in advance")
		time.Sleep(10 * time.Second)
		require.EqualValues(s, 4, s.stats().Claimed, "those that hang")
		c.runs()
	})
}

func TestWithEtcdFullJobsAreStillDoneAndFailuresWait(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("fine", "fails")
		gate := make(chan struct{})
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			<-gate
			if d.Value == "fails" {
				return errBroken
			}
			return nil
		})
		soon()
		s.srv.SetNoSpace(true)
		close(gate)
		time.Sleep(10 * time.Second)
		require.Equal(s, []queue.Verdict{queue.Done}, c.verdicts())
		s.srv.SetNoSpace(false)
		time.Sleep(5 * time.Second)
		require.Equal(s, []queue.Verdict{queue.Done, queue.Retried}, c.verdicts()[:2])
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestJobsWhoseAcknowledgementsRepliesAreLostAreDoneOnce(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(20)...)
		// The transactions that delete jobs are acknowledgements.
		lost := s.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 3, LoseReply: true, Match: func(r *etcdtest.Request) bool {
			return strings.Contains(fmt.Sprint(r.Body), "request_delete_range")
		}})
		var mu sync.Mutex
		got := map[string]int{}
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			mu.Lock()
			defer mu.Unlock()
			got[d.Value]++
			return nil
		}, drain)
		require.NoError(s, c.ended())
		require.Positive(s, lost.Hits())
		for job, n := range got {
			require.Equal(s, 1, n, job)
		}
		for _, o := range c.seen() {
			require.Equal(s, queue.Done, o.What)
		}
		require.Len(s, c.seen(), 20)
	})
}

func TestJobsOfAWorkerThatDiesAreTakenOverByOthers(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(10)...)
		dead := make(chan struct{}) // closed when all is over
		defer close(dead)
		var begun sync.Map
		dies := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			begun.Store(d.ID, true)
			<-dead
			return nil
		}, prefetch(6))
		soon()
		require.EqualValues(s, 10, s.stats().Claimed)
		other := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			// It may still hand back what it had not begun, which costs no attempt.
			if _, was := begun.Load(d.ID); was || d.Attempt != 1 {
				require.Equal(s, 2, d.Attempt)
			}
			return nil
		}, drain)
		soon()
		other.runs()
		require.True(s, s.srv.ExpireLease(int64(dies.session.Lease())))
		require.NoError(s, other.ended())
		require.Len(s, other.seen(), 10)
		err := dies.ended()
		require.True(s, errors.Is(err, queue.ErrConsumerGone) || errors.Is(err, etcd.ErrSessionExpired) || errors.Is(err, etcd.ErrSessionRevoked), err)
		var still *queue.StillRunningError
		require.ErrorAs(s, err, &still)
		require.Len(s, still.Jobs, 4)
	})
}

func TestAWorkerStopsInTimeAlthoughEtcdDoesNotAnswer(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(10)...)
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			time.Sleep(time.Second)
			return nil
		}, prefetch(4))
		soon()
		s.srv.Pause(0)
		c.stop()
		begin := time.Now()
		require.Error(s, c.ended())
		require.Less(s, time.Since(begin), time.Minute)
		s.srv.Resume(0)
		s.settle()
	})
}

// Each of them is of a claim of its own.
func TestJobsThatComeOneByOneFillAllHandlersHoweverManyThereAre(t *testing.T) {
	inBubble(t, func(w *world) {
		s := &shop{world: w, q: queue.New[string](w.client(), "jobs")}
		const handlers = 1200
		var running atomic.Int64
		release := make(chan struct{})
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			running.Add(1)
			<-release
			return nil
		}, func(cfg *queue.WorkerConfig) { cfg.Concurrency, cfg.Prefetch = handlers, -1 })
		for range handlers {
			s.push("x")
			s.settle()
		}
		require.EqualValues(s, handlers, running.Load())
		close(release)
		c.stop()
		require.NoError(s, c.ended())
		require.Zero(s, s.stats().Claimed)
	})
}

func TestATimeoutWithoutMeasureIsNoBound(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.client()
		q := queue.New[string](c, name)
		w.push(q, "a")
		handler := func(ctx context.Context, _ *queue.Delivery[string]) error {
			time.Sleep(queue.DefaultMaxClaimAge + time.Minute)
			return context.Cause(ctx)
		}
		var outcomes []queue.Verdict
		worker := queue.NewWorker(w.session(c), q, handler, queue.WorkerConfig{
			Timeout: math.MaxInt64, Drain: true, Concurrency: 1,
			Observe: func(o queue.Outcome) { outcomes = append(outcomes, o.What) },
		})
		require.NoError(w, worker.Run(w.Context()))
		require.Equal(w, []queue.Verdict{queue.Done}, outcomes)
	})
}

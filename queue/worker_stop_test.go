package queue_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// prefetch sets how many jobs are claimed in advance.
func prefetch(n int) func(*queue.WorkerConfig) {
	return func(cfg *queue.WorkerConfig) { cfg.Prefetch = n }
}

// many makes n jobs.
func many(n int) (jobs []string) {
	for i := range n {
		jobs = append(jobs, fmt.Sprint(i))
	}
	return jobs
}

func TestASoftStopHandsBackAtOnceWhatIsNotBegunAndLetsTheRestFinish(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(20)...)
		c := s.work(func(ctx context.Context, _ *queue.Delivery[string]) error {
			time.Sleep(20 * time.Second)
			return ctx.Err()
		}, prefetch(10))
		soon()
		// What is claimed before the worker asks for the first ones may do.
		require.Contains(s, []int64{10, 14}, s.stats().Claimed)
		c.stop()
		c.runs()
		st := s.stats()
		require.EqualValues(s, 4, st.Claimed, "those that are worked on")
		require.EqualValues(s, 16, st.Ready)
		require.Equal(s, 1, st.Consumers, "it is there as long as it works")
		time.Sleep(20 * time.Second)
		require.NoError(s, c.ended())
		require.Len(s, c.seen(), 4)
		for _, o := range c.seen() {
			require.Equal(s, queue.Done, o.What)
		}
		for _, j := range s.jobs(queue.Ready) {
			require.Zero(s, j.Attempt)
			require.False(s, j.Suspect)
		}
		require.Zero(s, s.stats().Consumers)
		require.Len(s, s.jobs(queue.Ready), 16)
	})
}

func TestAfterTheStopTimeoutHandlersAreToldAndTheirJobsGoBackAtNoAttempt(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(3)...)
		c := s.work(hang, func(cfg *queue.WorkerConfig) { cfg.StopTimeout = 5 * time.Second })
		soon()
		c.stop()
		begin := time.Now()
		require.NoError(s, c.ended())
		require.Equal(s, 5*time.Second, time.Since(begin).Truncate(time.Second))
		require.Len(s, c.seen(), 3)
		for _, o := range c.seen() {
			require.Equal(s, queue.HandedBack, o.What)
			require.ErrorIs(s, o.Err, queue.ErrWorkerStopped)
		}
		jobs := s.jobs(queue.Ready)
		require.Len(s, jobs, 3)
		for _, j := range jobs {
			require.Zero(s, j.Attempt)
			require.False(s, j.Suspect)
		}
	})
}

func TestAHandlerThatFinishesInSpiteOfAHardStopHasItsJobDone(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(func(ctx context.Context, _ *queue.Delivery[string]) error {
			<-ctx.Done()
			return nil
		})
		soon()
		c.StopNow()
		c.StopNow()
		require.NoError(s, c.ended())
		require.Equal(s, []queue.Verdict{queue.Done}, c.verdicts())
		require.Zero(s, s.stats().Ready)
	})
}

func TestStopNowEndsASoftStop(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(hang, func(cfg *queue.WorkerConfig) { cfg.StopTimeout = -1 })
		soon()
		c.stop()
		time.Sleep(48 * time.Minute) // less than the age a claim may have
		c.runs()
		c.StopNow()
		begin := time.Now()
		require.NoError(s, c.ended())
		require.Less(s, time.Since(begin), time.Second)
	})
}

func TestHandlersThatDoNotReturnAreNamedAndTheirJobsGoToOthers(t *testing.T) {
	inShops(t, func(s *shop) {
		ids := s.push("deaf", "fine")
		release := make(chan struct{})
		returned := make(chan struct{})
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			if d.Value == "deaf" {
				defer close(returned)
				<-release
			}
			return nil
		}, func(cfg *queue.WorkerConfig) { cfg.StopTimeout, cfg.KillTimeout = time.Second, time.Second })
		soon()
		c.stop()
		err := c.ended()
		var still *queue.StillRunningError
		require.ErrorAs(s, err, &still)
		require.Equal(s, ids[:1], still.Jobs)
		require.ErrorContains(s, err, ids[0])

		other := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			require.Equal(s, "deaf", d.Value)
			require.Equal(s, 2, d.Attempt)
			return nil
		}, drain)
		require.NoError(s, other.ended())
		require.Equal(s, []queue.Verdict{queue.Done}, other.verdicts())

		close(release) // too late: it changes nothing, and hurts nobody
		<-returned
		s.settle()
		require.Equal(s, []queue.Verdict{queue.Done, queue.Lost}, c.verdicts())
	})
}

// Run waits for what it hands back and for its presence to go; by then nobody
// acknowledges any more.
func TestAHandlerThatReturnsAfterTheKillTimeoutIsObservedThoughRunHasNotReturned(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("deaf")
		release, leave := make(chan struct{}), make(chan struct{})
		leaving := s.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: leave, Match: func(r *etcdtest.Request) bool {
			return r.Puts(queue.Root + "q/jobs/c/took")
		}})
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			<-release
			return nil
		}, func(cfg *queue.WorkerConfig) { cfg.StopTimeout, cfg.KillTimeout = time.Second, time.Second })
		soon()
		c.stop()
		require.NoError(s, leaving.Await(s.Context(), 1))
		close(release)
		s.settle()
		require.Equal(s, []queue.Verdict{queue.Lost}, c.verdicts())
		close(leave)
		var still *queue.StillRunningError
		require.ErrorAs(s, c.ended(), &still)
	})
}

func TestAHandlerThatHangsInASoftStopLosesItsJobAtTheMaximumAge(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(hang, func(cfg *queue.WorkerConfig) {
			cfg.StopTimeout = -1
			cfg.Consumer = []queue.ConsumerOption{queue.MaxClaimAge(time.Minute)}
		})
		soon()
		begin := time.Now()
		c.stop()
		other := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			require.Equal(s, 2, d.Attempt)
			return nil
		}, drain)
		require.NoError(s, other.ended())
		require.Less(s, time.Since(begin), 2*time.Minute)
		require.Equal(s, []queue.Verdict{queue.Done}, other.verdicts())
		require.NoError(s, c.ended())
		require.Len(s, c.seen(), 1)
		require.Equal(s, queue.Lost, c.seen()[0].What)
		require.ErrorIs(s, c.seen()[0].Err, queue.ErrClaimAge)
	})
}

func TestAWorkerWhoseSessionEndsTellsItsHandlersAndReturnsTheCause(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(hang)
		soon()
		require.NoError(s, c.session.Close(s.Context()))
		err := c.ended()
		require.ErrorIs(s, err, etcd.ErrSessionClosed)
		require.ErrorContains(s, err, `queue: work "jobs"`)
		require.Len(s, c.seen(), 1)
		require.Contains(s, []queue.Verdict{queue.HandedBack, queue.Lost}, c.seen()[0].What)
		other := s.work(func(context.Context, *queue.Delivery[string]) error { return nil }, drain)
		require.NoError(s, other.ended())
		require.Equal(s, []queue.Verdict{queue.Done}, other.verdicts())
	})
}

func TestAJobTakenFromAHangingHandlerIsLostToIt(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		var first atomic.Bool
		c := s.work(func(ctx context.Context, d *queue.Delivery[string]) error {
			if first.CompareAndSwap(false, true) {
				return hang(ctx, d)
			}
			return nil
		})
		soon()
		cs, err := s.q.Consumers(s.Context())
		require.NoError(s, err)
		n, err := s.q.Reclaim(s.Context(), cs[0].ID)
		require.NoError(s, err)
		require.Equal(s, 1, n)
		soon()
		require.ElementsMatch(s, []queue.Verdict{queue.Lost, queue.Done}, c.verdicts())
		for _, o := range c.seen() {
			if o.What == queue.Lost {
				require.ErrorIs(s, o.Err, queue.ErrClaimLost)
			}
		}
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestAWorkerThatDrainsWaitsForWhatOthersHaveAndWhatIsDelayed(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("slow")
		slow := s.work(func(context.Context, *queue.Delivery[string]) error {
			time.Sleep(10 * time.Second)
			return errors.New("once more")
		}, func(cfg *queue.WorkerConfig) {
			cfg.Retry = func(queue.Job, error) time.Duration { return 10 * time.Second }
		})
		soon()
		slow.stop() // it does not take the job a second time
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			require.Equal(s, 2, d.Attempt)
			return nil
		}, drain)
		time.Sleep(15 * time.Second)
		c.runs()
		time.Sleep(10 * time.Second)
		require.NoError(s, c.ended())
		require.NoError(s, slow.ended())
		require.Equal(s, []queue.Verdict{queue.Done}, c.verdicts())
	})
}

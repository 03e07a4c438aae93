package queue_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

var errBroken = errors.New("the mill is broken")

func TestAJobThatFailsIsTriedAgainAfterDoublingDelaysAndThenIsADeadLetter(t *testing.T) {
	inShops(t, func(s *shop) {
		ids := s.push("one")
		var mu sync.Mutex
		var at []time.Time
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			require.Equal(s, len(at), d.Attempt)
			return errBroken
		}, drain, func(cfg *queue.WorkerConfig) {
			cfg.MaxAttempts, cfg.RetryMin, cfg.RetryMax = 5, time.Minute, 4*time.Minute
		})
		require.NoError(s, c.ended())
		require.Len(s, at, 5)
		for i, full := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute} {
			gap := at[i+1].Sub(at[i])
			require.GreaterOrEqual(s, gap, full/2)
			require.LessOrEqual(s, gap, full+time.Second)
		}
		dead := s.jobs(queue.Dead)
		require.Len(s, dead, 1)
		require.Equal(s, ids[0], dead[0].ID)
		require.Equal(s, 5, dead[0].Attempt)
		require.Equal(s, errBroken.Error(), dead[0].Reason)
		require.Equal(s, "handler", dead[0].DiedBy)
		require.Equal(s, []queue.Verdict{queue.Retried, queue.Retried, queue.Retried, queue.Retried, queue.Buried}, c.verdicts())
		require.Equal(s, c.seen()[0].Err, errBroken)
	})
}

func TestDelaysOfJobsThatFailTogetherAreSpread(t *testing.T) {
	inShops(t, func(s *shop) {
		var jobs []string
		for range 50 {
			jobs = append(jobs, "job")
		}
		s.push(jobs...)
		c := s.work(func(context.Context, *queue.Delivery[string]) error { return errBroken },
			func(cfg *queue.WorkerConfig) { cfg.RetryMin, cfg.RetryMax = time.Hour, time.Hour })
		soon()
		delays := map[time.Duration]bool{}
		for _, o := range c.seen() {
			require.Equal(s, queue.Retried, o.What)
			require.Greater(s, o.Delay, 30*time.Minute-1)
			require.LessOrEqual(s, o.Delay, time.Hour)
			delays[o.Delay] = true
		}
		require.Greater(s, len(delays), 40)
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestHandlersMaySayWhatIsToBeDone(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("permanent", "later", "snooze")
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			switch d.Value {
			case "permanent":
				return queue.Permanent(errBroken)
			case "later":
				return queue.RetryIn(time.Minute, errBroken)
			}
			return queue.Snooze(2 * time.Minute)
		}, func(cfg *queue.WorkerConfig) { cfg.MaxAttempts = 2 })
		soon()
		for _, o := range c.seen() {
			switch o.Job.Unique {
			default:
				require.Contains(s, []queue.Verdict{queue.Buried, queue.Retried, queue.Snoozed}, o.What)
				if o.What != queue.Snoozed {
					require.ErrorIs(s, o.Err, errBroken)
				}
			}
		}
		dead, delayed := s.jobs(queue.Dead), s.jobs(queue.Delayed)
		require.Len(s, dead, 1)
		require.Len(s, delayed, 2)
		require.Equal(s, 1, delayed[0].Attempt, "the one tried again")
		require.Equal(s, errBroken.Error(), delayed[0].LastError)
		require.WithinDuration(s, time.Now().Add(time.Minute), delayed[0].Due, time.Second)
		require.Equal(s, 0, delayed[1].Attempt, "the one put off")
		require.WithinDuration(s, time.Now().Add(2*time.Minute), delayed[1].Due, time.Second)

		// Being put off costs no attempt, being tried again does.
		time.Sleep(time.Minute)
		soon()
		require.Len(s, s.jobs(queue.Dead), 2)
		for range 5 {
			time.Sleep(2 * time.Minute)
		}
		require.Len(s, s.jobs(queue.Dead), 2)
		require.Equal(s, 0, s.jobs(queue.Delayed)[0].Attempt)
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestAPanicIsAFailureWithItsStackAndTheWorkerGoesOn(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("panic", "exit", "fine")
		c := s.work(func(_ context.Context, d *queue.Delivery[string]) error {
			switch d.Value {
			case "panic":
				panic(errBroken)
			case "exit":
				runtime.Goexit()
			}
			return nil
		}, drain, func(cfg *queue.WorkerConfig) { cfg.MaxAttempts, cfg.Concurrency = 1, 1 })
		require.NoError(s, c.ended())
		require.ElementsMatch(s, []queue.Verdict{queue.Buried, queue.Buried, queue.Done}, c.verdicts())
		var p *queue.PanicError
		require.ErrorAs(s, c.seen()[0].Err, &p)
		require.ErrorIs(s, c.seen()[0].Err, errBroken)
		require.Contains(s, string(p.Stack), "worker_retry_test.go")
		dead := s.jobs(queue.Dead)
		require.Len(s, dead, 2)
		require.Contains(s, dead[0].LastError, "the handler panicked: the mill is broken")
		require.Contains(s, dead[0].LastError, "worker_retry_test.go", "where")
		require.Contains(s, dead[1].LastError, "runtime.Goexit")
	})
}

func TestPanicsOfTheUsersHooksHurtNobody(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(func(context.Context, *queue.Delivery[string]) error { return errBroken },
			func(cfg *queue.WorkerConfig) {
				cfg.Retry = func(queue.Job, error) time.Duration { panic("retry") }
				cfg.Observe = func(queue.Outcome) { panic("observe") }
			})
		soon()
		require.Len(s, s.jobs(queue.Delayed), 1)
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestAJobThatTakesTooLongFails(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(hang, drain, func(cfg *queue.WorkerConfig) { cfg.Timeout, cfg.MaxAttempts = 3*time.Second, 2 })
		require.NoError(s, c.ended())
		require.Equal(s, []queue.Verdict{queue.Retried, queue.Buried}, c.verdicts())
		for _, o := range c.seen() {
			require.Equal(s, 3*time.Second, o.Took)
			require.ErrorIs(s, o.Err, queue.ErrJobTimeout)
		}
	})
}

func TestRetryDecidesHowLongToWait(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("one")
		c := s.work(func(context.Context, *queue.Delivery[string]) error { return errBroken }, func(cfg *queue.WorkerConfig) {
			cfg.Retry = func(j queue.Job, err error) time.Duration {
				require.Equal(s, errBroken, err)
				return time.Duration(j.Attempt) * 24 * time.Hour
			}
		})
		soon()
		require.WithinDuration(s, time.Now().Add(24*time.Hour), s.jobs(queue.Delayed)[0].Due, time.Second)
		c.stop()
		require.NoError(s, c.ended())
	})
}

// A nil pointer of a type of errors is an error that is not nil.
type brittle struct{ why string }

func (e *brittle) Error() string { return e.why }
func (e *brittle) Unwrap() error { return errors.New(e.why) }

func TestAnErrorThatPanicsWhenItIsAskedWhatItSaysIsAFailureLikeAnother(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push("a")
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			var none *brittle
			return none
		}, func(cfg *queue.WorkerConfig) { cfg.MaxAttempts, cfg.Drain = 2, true })
		require.NoError(s, <-c.done)
		dead := s.jobs(queue.Dead)
		require.Len(s, dead, 1)
		require.Equal(s, 2, dead[0].Attempt)
		require.Contains(s, dead[0].LastError, "the handler's error panicked: runtime error: invalid memory address")
	})
}

func TestACauseThatPanicsWhenItIsAskedWhatItSaysIsKeptAsFarAsItGoes(t *testing.T) {
	inBubble(t, func(w *world) {
		n := w.node()
		w.push(n.q, "a")
		var none *brittle
		require.NoError(w, n.takeOne().Nack(w.Context(), 0, queue.Because(none)))
		d := n.takeOne()
		require.Equal(w, "<nil>", d.LastError)
		require.NoError(w, d.Dead(w.Context(), "no use", queue.Because(none)))
	})
}

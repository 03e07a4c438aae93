package election_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
)

// A patient is somebody whose health is checked.
type patient struct {
	sick   atomic.Bool
	hangs  atomic.Bool
	panics atomic.Bool
	checks atomic.Int64
}

var errSick = errors.New("the disk is full")

func (p *patient) check(ctx context.Context) error {
	p.checks.Add(1)
	if p.panics.Load() {
		panic("nil map")
	}
	if p.hangs.Load() {
		<-ctx.Done()
		return nil
	}
	if p.sick.Load() {
		return errSick
	}
	return nil
}

func (p *patient) option(change ...func(*election.HealthCheck)) election.Option {
	h := election.HealthCheck{Check: p.check, Every: time.Second}
	for _, f := range change {
		f(&h)
	}
	return election.WithHealthCheck(h)
}

func TestAnUnhealthyCandidateDoesNotComeForward(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		p.sick.Store(true)
		c := w.start(w.Context(), stand(w.Session(), p.option()), "a")
		begin := time.Now()
		time.Sleep(time.Minute)
		w.waits(c)
		require.Empty(w, w.line())
		p.sick.Store(false)
		term := w.leads(c)
		l, err := stand(w.Session()).Leader(w.Context())
		require.NoError(w, err)
		require.WithinDuration(w, begin.Add(time.Minute), l.Since, 2*time.Second, "when it entered the line")
		w.resign(term)
	})
}

func TestACandidateThatBecomesUnhealthyLeavesTheLineAndComesBackAtItsEnd(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		a := w.campaign(stand(w.Session()), "a")
		b := w.start(w.Context(), stand(w.Session(), p.option()), "b")
		c := w.start(w.Context(), stand(w.Session()), "c")
		require.Len(w, w.line(), 3)
		p.sick.Store(true)
		time.Sleep(5 * time.Second)
		require.Len(w, w.line(), 2)
		p.sick.Store(false)
		time.Sleep(5 * time.Second)
		require.Len(w, w.line(), 3)
		w.resign(a)
		w.resign(w.leads(c))
		bTerm := w.leads(b)
		w.resign(bTerm)
		require.Empty(w, w.line())
	})
}

func TestACampaignOfAnUnhealthyCandidateThatIsGivenUpSaysWhatAilsIt(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		p.sick.Store(true)
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		_, err := stand(w.Session(), p.option()).Campaign(ctx, nil)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.ErrorIs(w, err, election.ErrUnhealthy)
		require.ErrorIs(w, err, errSick)
	})
}

func TestAnUnhealthyLeaderStopsAndTheNextLeadsWhenItHasResigned(t *testing.T) {
	for ill, makeIll := range map[string]func(*patient){
		"fails":  func(p *patient) { p.sick.Store(true) },
		"hangs":  func(p *patient) { p.hangs.Store(true) },
		"panics": func(p *patient) { p.panics.Store(true) },
	} {
		t.Run(ill, func(t *testing.T) {
			inBubble(t, func(w *world) {
				var p patient
				a := w.campaign(stand(w.Session(), p.option()), "a")
				b := w.start(w.Context(), stand(w.Session()), "b")
				time.Sleep(time.Minute)
				require.NoError(w, a.Err())
				makeIll(&p)
				began := time.Now()
				require.ErrorIs(w, w.Ended(a.Context()), election.ErrUnhealthy)
				require.LessOrEqual(w, time.Since(began), 2*time.Second)
				require.ErrorIs(w, a.Err(), election.ErrLost)
				w.waits(b) // the work may still be stopping
				require.ErrorIs(w, a.Resign(w.Context()), election.ErrUnhealthy)
				w.resign(w.leads(b))
				require.Empty(w, w.line())
			})
		})
	}
}

func TestAnUnhealthyLeaderThatDoesNotResignIsResignedAfterItsGrace(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		a := w.campaign(stand(w.Session(), p.option(func(h *election.HealthCheck) { h.Grace = 20 * time.Second })), "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		p.sick.Store(true)
		require.ErrorIs(w, w.Ended(a.Context()), election.ErrUnhealthy)
		began := time.Now()
		bTerm := w.leads(b)
		require.Equal(w, 20*time.Second, time.Since(began).Truncate(time.Second))
		require.False(w, w.guarded(w.Client(), a))
		w.resign(bTerm)
		require.ErrorIs(w, a.Resign(w.Context()), election.ErrUnhealthy)
	})
}

func TestOnlySoManyFailuresInARowCount(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		a := w.campaign(stand(w.Session(), p.option(func(h *election.HealthCheck) { h.Failures = 3 })), "a")
		time.Sleep(time.Second / 2) // the checks come in the middle of what follows
		for range 10 {
			p.sick.Store(true)
			time.Sleep(2 * time.Second)
			p.sick.Store(false)
			time.Sleep(2 * time.Second)
		}
		require.NoError(w, a.Err())
		p.sick.Store(true)
		require.ErrorIs(w, w.Ended(a.Context()), errSick)
		require.Error(w, a.Resign(w.Context()))
	})
}

func TestNoCheckRunsAfterTheTerm(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		a := w.campaign(stand(w.Session(), p.option()), "a")
		time.Sleep(10 * time.Second)
		require.GreaterOrEqual(w, p.checks.Load(), int64(10))
		w.resign(a)
		n := p.checks.Load()
		time.Sleep(time.Minute)
		require.Equal(w, n, p.checks.Load())
	})
}

func TestRunStandsAgainWhenItHasRecovered(t *testing.T) {
	inBubble(t, func(w *world) {
		var p patient
		c := w.run(stand(w.Session(), p.option()))
		s := c.begins()
		p.sick.Store(true)
		require.ErrorIs(w, w.Ended(s.ctx), election.ErrUnhealthy)
		s.finish <- nil
		require.ErrorIs(w, <-c.stopped, election.ErrUnhealthy)
		time.Sleep(time.Minute)
		require.Empty(w, w.line())
		p.sick.Store(false)
		s = c.begins()
		s.finish <- nil
		require.NoError(w, <-c.done)
	})
}

// A check that does not mind its context.
func TestACheckThatHangsIsNotCalledAgainBeforeItHasReturned(t *testing.T) {
	inBubble(t, func(w *world) {
		var running, most, calls atomic.Int64
		stuck := make(chan struct{})
		option := election.WithHealthCheck(election.HealthCheck{Every: time.Second, Check: func(context.Context) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if calls.Add(1) == 3 { // while it leads
				<-stuck
			}
			return nil
		}})
		c := w.run(stand(w.Session(), option))
		s := c.begins()
		require.ErrorIs(w, w.Ended(s.ctx), election.ErrUnhealthy)
		s.finish <- nil
		time.Sleep(10 * time.Minute)
		require.Empty(w, w.line(), "it stands although its check hangs")
		require.EqualValues(w, 3, calls.Load())
		close(stuck)
		s = c.begins()
		require.EqualValues(w, 1, most.Load())
		c.stop(errStop)
		s.finish <- nil
		require.ErrorIs(w, <-c.done, errStop)
	})
}

func TestResignWaitsForACheckThatHangsOnlyAsLongAsItsContextLasts(t *testing.T) {
	inBubble(t, func(w *world) {
		stuck := make(chan struct{})
		option := election.WithHealthCheck(election.HealthCheck{Every: time.Second, Check: func(context.Context) error {
			if len(w.line()) > 0 {
				<-stuck
			}
			return nil
		}})
		a := w.campaign(stand(w.Session(), option), "a")
		require.ErrorIs(w, w.Ended(a.Context()), election.ErrUnhealthy)
		for range 3 {
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			err := a.Resign(ctx)
			cancel()
			require.ErrorIs(w, err, context.DeadlineExceeded)
			require.ErrorIs(w, err, election.ErrUnhealthy)
			require.ErrorContains(w, err, "the health check has not returned")
			require.Empty(w, w.line(), "but it has resigned")
		}
		close(stuck)
		err := a.Resign(w.Context())
		require.ErrorIs(w, err, election.ErrUnhealthy)
		require.NotErrorIs(w, err, context.DeadlineExceeded)
	})
}

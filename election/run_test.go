package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// A shift is one time that Run's function leads.
type shift struct {
	ctx    context.Context
	term   *election.Term
	finish chan error // what the function is to return
}

// A crew is a Run in a goroutine of its own.
type crew struct {
	*world
	shifts  chan shift
	stopped chan error
	done    chan error
	stop    context.CancelCauseFunc
}

var errStop = errors.New("the test stops it")

// run starts a Run whose function returns when it is told to.
func (w *world) run(e *election.Election) *crew {
	ctx, stop := context.WithCancelCause(w.Context())
	c := &crew{w, make(chan shift), make(chan error, 100), make(chan error, 1), stop}
	go func() {
		c.done <- e.Run(ctx, []byte("runner"), func(ctx context.Context, t *election.Term) error {
			s := shift{ctx, t, make(chan error, 1)}
			c.shifts <- s
			return <-s.finish
		}, election.OnStopped(func(_ *election.Term, cause error) { c.stopped <- cause }))
	}()
	w.Settle()
	return c
}

func (c *crew) begins() shift {
	c.Helper()
	select {
	case s := <-c.shifts:
		return s
	case err := <-c.done:
		c.Fatalf("Run ended: %v", err)
	case <-time.After(time.Minute):
		c.Fatal("Run does not lead within a minute")
	}
	return shift{}
}

func TestRunReturnsWhatItsFunctionReturnsAndResigns(t *testing.T) {
	for _, want := range []error{nil, errors.New("broken")} {
		bothWays(t, func(w *world) {
			c := w.run(stand(w.Session()))
			s := c.begins()
			require.NoError(w, s.term.Err())
			s.finish <- want
			require.ErrorIs(w, <-c.done, want)
			require.NoError(w, <-c.stopped)
			require.ErrorIs(w, s.term.Err(), election.ErrResigned)
			require.Empty(w, w.line())
		})
	}
}

func TestRunCampaignsAgainAfterEveryLoss(t *testing.T) {
	for _, l := range losses {
		if l.cause == etcd.ErrSessionClosed {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			bothWays(t, func(w *world) {
				s := w.At(1)
				c := w.run(stand(s))
				var last int64
				for range 3 {
					sh := c.begins()
					require.Greater(w, sh.term.Token(), last)
					last = sh.term.Token()
					time.Sleep(time.Second)
					kv, _ := w.Srv.Get(w.line()[0])
					if l.cause == etcd.ErrSessionRevoked {
						w.Srv.RevokeLease(kv.Lease)
					} else {
						l.does(w, s, kv.Key)
					}
					require.ErrorIs(w, w.Ended(sh.ctx), l.cause)
					sh.finish <- context.Cause(sh.ctx)
					require.ErrorIs(w, <-c.stopped, l.cause)
					w.Srv.Resume(1)
				}
				sh := c.begins()
				c.stop(errStop)
				w.Ended(sh.ctx)
				sh.finish <- nil
				require.ErrorIs(w, <-c.done, errStop)
				require.Empty(w, w.line())
				leases := 0
				for _, l := range w.Srv.Leases() {
					if l.ID != int64(s.Lease()) {
						leases++
					}
				}
				require.Zero(w, leases, "the sessions it made are closed")
			}, three...)
		})
	}
}

func TestRunLetsGoOnlyWhenItsFunctionHasReturned(t *testing.T) {
	bothWays(t, func(w *world) {
		c := w.run(stand(w.Session()))
		s := c.begins()
		next := w.start(w.Context(), stand(w.Session()), "next")
		c.stop(errStop)
		require.ErrorIs(w, w.Ended(s.ctx), errStop)
		time.Sleep(time.Hour)
		w.waits(next)
		require.NoError(w, s.term.Err(), "it leads until the work has stopped")
		failure := errors.New("could not finish")
		s.finish <- failure
		err := <-c.done
		require.ErrorIs(w, err, errStop)
		require.ErrorIs(w, err, context.Canceled)
		require.ErrorIs(w, err, failure)
		require.ErrorIs(w, <-c.stopped, errStop)
		w.resign(w.leads(next))
	})
}

func TestRunDoesNotLeadAgainBeforeItsFunctionHasReturned(t *testing.T) {
	bothWays(t, func(w *world) {
		c := w.run(stand(w.Session()))
		s := c.begins()
		time.Sleep(time.Second)
		w.Srv.Delete(w.line()[0])
		w.Ended(s.ctx)
		time.Sleep(time.Hour)
		w.Settle()
		require.Empty(w, w.line(), "it campaigns beside its own work")
		s.finish <- nil
		s = c.begins()
		c.stop(errStop)
		s.finish <- nil
		<-c.done
	})
}

func TestTheStopCallbackComesOnlyAfterAStart(t *testing.T) {
	bothWays(t, func(w *world) {
		a := w.campaign(stand(w.Session()), "a")
		s := w.Session()
		c := w.run(stand(s))
		time.Sleep(time.Minute)
		// Its campaigns fail, and it stands again.
		require.True(w, w.Srv.Delete(w.line()[1]))
		time.Sleep(time.Minute)
		require.Len(w, w.line(), 2)
		require.True(w, w.Srv.RevokeLease(int64(s.Lease())))
		time.Sleep(time.Minute)
		require.Len(w, w.line(), 2)
		c.stop(errStop)
		require.ErrorIs(w, <-c.done, errStop)
		require.Empty(w, c.stopped, "it never led")
		w.resign(a)
	})
}

func TestRunResignsWhenItsFunctionPanics(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.Session())
		require.PanicsWithValue(w, "oh", func() {
			_ = e.Run(w.Context(), nil, func(context.Context, *election.Term) error { panic("oh") })
		})
		require.Empty(w, w.line())
	})
}

func TestRunEndsWhereTryingAgainIsOfNoUse(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		c := w.run(stand(s))
		sh := c.begins()
		require.NoError(w, s.Close(w.Context()))
		require.ErrorIs(w, w.Ended(sh.ctx), etcd.ErrSessionClosed)
		sh.finish <- nil
		require.ErrorIs(w, <-c.done, etcd.ErrSessionClosed)
	})
}

func TestRunGoesOnTryingWhileEtcdCantBeReached(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		w.Srv.Kill(0)
		c := w.run(stand(s))
		time.Sleep(10 * time.Minute) // the session has long expired
		w.Srv.Restart(0)
		sh := c.begins()
		require.NotEqual(w, s.Lease(), 0)
		c.stop(errStop)
		sh.finish <- nil
		require.ErrorIs(w, <-c.done, errStop)
		require.Empty(w, w.line())
	})
}

func TestTheSessionThatRunMakesIsLikeTheOneThatWasLost(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session(etcd.WithTTL(7*time.Second), etcd.WithSafetyMargin(3*time.Second))
		c := w.run(stand(s))
		first := c.begins()
		require.True(w, w.Srv.RevokeLease(int64(s.Lease())))
		require.ErrorIs(w, w.Ended(first.ctx), etcd.ErrSessionRevoked)
		first.finish <- nil
		second := c.begins()
		kv, _ := w.Srv.Get(w.line()[0])
		require.NotEqual(w, int64(s.Lease()), kv.Lease)
		require.Equal(w, 7*time.Second, w.Srv.Leases()[0].TTL)
		require.LessOrEqual(w, time.Until(second.term.Deadline()), 4*time.Second)
		c.stop(errStop)
		second.finish <- nil
		require.ErrorIs(w, <-c.done, errStop)
	})
}

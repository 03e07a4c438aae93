package election_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

func TestAnObserverSeesEveryLeaderEveryValueAndEveryVacancyInOrder(t *testing.T) {
	bothWays(t, func(w *world) {
		a := w.observe(w.Client())
		ev := a.sees(election.Vacant, "")
		require.True(w, ev.Present)

		first := w.campaign(stand(w.Session()), "a")
		ev = a.sees(election.Elected, "a")
		require.False(w, ev.Present)
		require.Equal(w, first.Token(), ev.Revision)
		require.NoError(w, first.Proclaim(w.Context(), []byte("a2")))
		require.NoError(w, first.Proclaim(w.Context(), []byte("a2")))
		a.sees(election.Proclaimed, "a2")
		a.sees(election.Proclaimed, "a2")

		second := w.start(w.Context(), stand(w.Session()), "b")
		a.seesNothing() // who waits is nobody's news
		w.resign(first)
		ev = a.sees(election.Elected, "b") // and no vacancy in between
		b := w.leads(second)
		require.Equal(w, b.Token(), ev.Revision)
		w.resign(b)
		a.sees(election.Vacant, "")
		w.resign(w.campaign(stand(w.Session()), "c"))
		a.sees(election.Elected, "c")
		a.sees(election.Vacant, "")
		a.seesNothing()
	})
}

func TestAnObserverBeginsWithTheLeaderThatThereIs(t *testing.T) {
	bothWays(t, func(w *world) {
		term := w.campaign(stand(w.Session()), "a")
		a := w.observe(w.Client())
		ev := a.sees(election.Elected, "a")
		require.True(w, ev.Present)
		require.GreaterOrEqual(w, ev.Revision, term.Token())
		w.resign(term)
		a.sees(election.Vacant, "")
	})
}

func TestALeaderThatDiesIsFollowedByAVacancy(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.At(1)
		term := w.campaign(stand(s), "a")
		a := w.observe(w.ClientAt(0))
		a.sees(election.Elected, "a")
		w.Srv.Pause(1)
		a.sees(election.Vacant, "")
		require.ErrorIs(w, term.Err(), etcd.ErrSessionExpired)
		w.Srv.Resume(1)
	}, three...)
}

func TestAnObserverMissesNothingWhileItsConnectionsBreak(t *testing.T) {
	bothWays(t, func(w *world) {
		a := w.observe(w.Client())
		a.sees(election.Vacant, "")
		e := stand(w.At(0))
		for i := range 20 {
			if i%3 == 0 {
				w.Srv.DropWatches()
			}
			v := fmt.Sprint(i)
			term := w.campaign(e, v)
			require.NoError(w, term.Proclaim(w.Context(), []byte(v+"!")))
			if i%4 == 0 {
				w.Srv.StallWatches()
			}
			w.resign(term)
			w.Srv.ResumeWatches()
		}
		for i := range 20 {
			a.sees(election.Elected, fmt.Sprint(i))
			a.sees(election.Proclaimed, fmt.Sprint(i)+"!")
			a.sees(election.Vacant, "")
		}
		a.seesNothing()
	})
}

func TestAnObserverWhoseMemberDiesGoesOnAtAnotherWithoutAGap(t *testing.T) {
	bothWays(t, func(w *world) {
		a := w.observe(w.Client(func(cfg *etcd.Config) { cfg.Endpoints = []string{w.Srv.URLs()[1], w.Srv.URLs()[2]} }))
		a.sees(election.Vacant, "")
		e := stand(w.At(0))
		w.Srv.Kill(1)
		term := w.campaign(e, "a")
		w.resign(term)
		a.sees(election.Elected, "a")
		a.sees(election.Vacant, "")
		a.seesNothing()
	}, three...)
}

func TestAfterACompactionAnObserverSaysThatThereIsAGapAndGoesOnWithThePresent(t *testing.T) {
	bothWays(t, func(w *world) {
		a := w.observe(w.ClientAt(1))
		a.sees(election.Vacant, "")
		e := stand(w.At(0))
		w.Srv.Pause(1) // the observer is cut off
		time.Sleep(time.Second)
		w.resign(w.campaign(e, "unseen"))
		term := w.campaign(e, "b")
		require.NoError(w, w.Srv.Compact(w.Srv.Revision()))
		w.Srv.DropWatches()
		w.Srv.Resume(1)
		gap := a.sees(election.Gap, "")
		ev := a.sees(election.Elected, "b")
		require.True(w, ev.Present)
		require.Greater(w, ev.Revision, gap.Revision)
		w.resign(term)
		a.sees(election.Vacant, "")
		a.seesNothing()
	}, three...)
}

func TestAnObserverNeverEndsWithoutAWord(t *testing.T) {
	bothWays(t, func(w *world) {
		c := w.Client()
		a := w.observe(c)
		a.sees(election.Vacant, "")
		a.stop()
		err := <-a.err
		require.ErrorIs(w, err, context.Canceled)
		a.err <- err

		b := w.observe(w.Client())
		b.sees(election.Vacant, "")
		w.Srv.Wipe()
		err = <-b.err
		require.ErrorIs(w, err, etcd.ErrClusterChanged)
		b.err <- err

		d := w.observe(c)
		d.next()
		require.NoError(w, c.Close())
		err = <-d.err
		require.ErrorIs(w, err, etcd.ErrClosed)
		d.err <- err
	})
}

func TestAnObserverThatIsLeftLeavesNothingBehind(t *testing.T) {
	bothWays(t, func(w *world) {
		for ev, err := range stand(w.Session()).Observe(w.Context()) {
			require.NoError(w, err)
			require.Equal(w, election.Vacant, ev.Kind)
			break
		}
		time.Sleep(time.Second)
		require.Zero(w, w.Srv.Watches())
	})
}

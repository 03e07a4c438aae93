package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
)

func TestALeaderThatIsDeposedHearsOfItAndItsGuardIsRefused(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.Client()
		e := stand(w.Session())
		a := w.campaign(e, "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		time.Sleep(time.Second)
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		require.NoError(w, election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0]))
		require.ErrorIs(w, w.Ended(a.Context()), election.ErrDeposed)
		require.ErrorIs(w, a.Err(), election.ErrLost)
		bTerm := w.leads(b)
		require.False(w, w.guarded(c, a))
		require.ErrorIs(w, a.Proclaim(w.Context(), nil), election.ErrLost)
		require.ErrorIs(w, a.Resign(w.Context()), election.ErrDeposed)
		require.NoError(w, bTerm.Err())
		require.NoError(w, election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0]), "it has been done")
		w.resign(bTerm)
		require.ErrorIs(w, election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0]), election.ErrChanged)
		require.Empty(w, w.line())
	})
}

func TestALeaderThatIsDeposedWithoutHearingOfItIsToldByItsNextWord(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.Client()
		e := stand(w.Session())
		a := w.campaign(e, "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		require.NoError(w, election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0]))
		require.NoError(w, a.Err(), "it is not watched yet")
		require.ErrorIs(w, a.Proclaim(w.Context(), nil), election.ErrDeposed)
		require.ErrorIs(w, a.Resign(w.Context()), election.ErrDeposed)
		w.resign(w.leads(b))
		require.Empty(w, w.line())
	})
}

func TestALeaderIsToldThatItIsAskedToHandOver(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.Client()
		e := stand(w.Session())
		obs := w.observe(w.Client())
		obs.sees(election.Vacant, "")
		a := w.campaign(e, "a")
		obs.sees(election.Elected, "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		require.NoError(w, election.Ask(w.Context(), c, name, *s.Leader, s.Candidates[0]))
		r, err := a.Request(w.Context())
		require.NoError(w, err)
		require.Equal(w, s.Candidates[0].Key, r.To.Key)
		require.NoError(w, a.Err())
		require.True(w, w.guarded(c, a))
		require.ErrorIs(w, election.Ask(w.Context(), c, name, *s.Leader, s.Candidates[0]), election.ErrChanged)
		require.NoError(w, a.Proclaim(w.Context(), []byte("a2")), "a wish does not get in its way")
		obs.sees(election.Proclaimed, "a2")
		require.NoError(w, a.Transfer(w.Context(), r.To))
		bTerm := w.leads(b)
		obs.sees(election.Elected, "b")
		w.Settle()
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		_, err = bTerm.Request(ctx)
		require.ErrorIs(w, err, context.DeadlineExceeded, "the heir was asked for nothing")
		w.resign(bTerm)
		_, err = bTerm.Request(w.Context())
		require.ErrorIs(w, err, election.ErrResigned)
	})
}

package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// It is what a caller has who resigns before the error of Campaign was looked at.
func TestATermThatNoCampaignGaveIsNoneAndSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		for _, term := range []*election.Term{nil, new(election.Term)} {
			_, asked := term.Request(w.Context())
			for _, err := range []error{
				term.Err(), term.Proclaim(w.Context(), []byte("x")), term.Transfer(w.Context(), election.Candidate{}),
				term.Resign(w.Context()), asked, context.Cause(term.Context()),
			} {
				require.ErrorContains(w, err, "no campaign gave")
				require.NotErrorIs(w, err, election.ErrLost)
			}
			require.Error(w, term.Context().Err())
			require.Zero(w, term.Token())
			require.True(w, term.Deadline().Before(time.Now()))
			require.Nil(w, term.Value())
			require.False(w, w.guarded(w.Client(), term))
		}
	})
}

func TestAnElectionThatWasNotMadeIsAClearError(t *testing.T) {
	ctx := t.Context()
	for _, e := range []*election.Election{nil, new(election.Election)} {
		_, campaign := e.Campaign(ctx, nil)
		_, state := e.State(ctx)
		_, leader := e.Leader(ctx)
		_, candidates := e.Candidates(ctx)
		run := e.Run(ctx, nil, func(context.Context, *election.Term) error { t.Error("led"); return nil })
		var observe error
		for _, err := range e.Observe(ctx) {
			observe = err
		}
		for i, err := range []error{campaign, state, leader, candidates, run, observe} {
			require.ErrorContains(t, err, "not made by New", i)
		}
	}
}

func TestASessionThatWasNotMadeIsNoSession(t *testing.T) {
	_, err := election.New(new(etcd.Session), name).Campaign(t.Context(), nil)
	require.ErrorContains(t, err, "no session")
}

func TestAnErrorWithoutACauseHasAText(t *testing.T) {
	require.Equal(t, `election: resign "scheduler": failed`, (&election.Error{Op: "resign", Name: name}).Error())
}

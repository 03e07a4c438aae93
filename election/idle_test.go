package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/internal/linetest"
)

// Who leads, who waits and who observes costs keep-alives, and a look now and
// then whether the member that its watches are at is alive; nothing else.
func TestLeadersCandidatesAndObserversAtRestSendNothingButSignsOfLife(t *testing.T) {
	inTime(t, linetest.Latency, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan error, 3)
		for range 3 {
			e := stand(w.Session())
			go func() {
				ended <- e.Run(ctx, []byte("x"), func(ctx context.Context, _ *election.Term) error {
					<-ctx.Done()
					return nil
				})
			}()
		}
		obs := w.observe(w.Client())
		time.Sleep(time.Minute)
		w.AtRest(time.Minute, 3, 1)
		obs.sees(election.Elected, "x")
		obs.seesNothing()
		cancel()
		for range 3 {
			require.ErrorIs(w, <-ended, context.Canceled)
		}
	})
}

// Leaders that are asked to hand over, one after the other: an observer sees them
// all, and a hand-over costs a few requests.
func TestWhereRequestsTakeTimeALeadershipGoesRoundAndNobodyIsSkipped(t *testing.T) {
	inTime(t, linetest.Latency, func(w *world) {
		const parties, rounds = 4, 12
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan error, parties)
		tokens := make(chan int64, 1000)
		for i := range parties {
			e := stand(w.Session())
			go func() {
				ended <- e.Run(ctx, []byte{byte('a' + i)}, func(ctx context.Context, t *election.Term) error {
					tokens <- t.Token()
					<-ctx.Done()
					return nil
				})
			}()
		}
		obs := w.observe(w.Client())
		w.Settle()
		c := w.Client()
		first := obs.next()
		for first.Kind == election.Vacant {
			first = obs.next()
		}
		leader := first.Leader
		for range rounds {
			time.Sleep(2 * time.Second) // whoever handed over stands again
			s, err := election.Look(w.Context(), c, name)
			require.NoError(w, err)
			require.True(w, s.Leader.Is(leader))
			require.Len(w, s.Candidates, parties-1)
			to := s.Candidates[len(s.Candidates)-1]
			require.NoError(w, election.Ask(w.Context(), c, name, *s.Leader, to))
			ev := obs.next()
			require.Equal(w, election.Elected, ev.Kind)
			require.True(w, ev.Transferred)
			require.True(w, ev.Leader.Is(to))
			leader = ev.Leader
		}
		obs.seesNothing()
		cancel()
		for range parties {
			require.ErrorIs(w, <-ended, context.Canceled)
		}
		last := int64(0)
		for range rounds + 1 {
			token := <-tokens
			require.Greater(w, token, last)
			last = token
		}
		require.Empty(w, tokens)
	})
}

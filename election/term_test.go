package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestTheFirstLeadsAndTheOthersFollowInTheOrderInWhichTheyCame(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.campaign(stand(w.Session()), "a")
		require.NoError(w, first.Err())
		second := w.start(w.Context(), stand(w.Session()), "b")
		third := w.start(w.Context(), stand(w.Session()), "c")
		w.waits(second)
		w.waits(third)

		w.resign(first)
		require.ErrorIs(w, first.Err(), election.ErrResigned)
		require.EqualError(w, first.Err(), "resigned")
		require.ErrorIs(w, context.Cause(first.Context()), election.ErrResigned)
		b := w.leads(second)
		require.Greater(w, b.Token(), first.Token())
		require.Equal(w, "b", string(b.Value()))
		w.waits(third)
		w.resign(b)
		c := w.leads(third)
		require.Greater(w, c.Token(), b.Token())
		w.resign(c)
		w.resign(c) // again: nothing
		require.Empty(w, w.line())
	})
}

func TestTheGuardHoldsDuringTheTermAndNeverAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		s, c := w.Session(), w.Client()
		e := stand(s)
		first := w.campaign(e, "a")
		require.True(w, w.guarded(c, first))
		w.resign(first)
		require.False(w, w.guarded(c, first))
		second := w.campaign(e, "a") // by the same key
		require.True(w, w.guarded(c, second))
		require.False(w, w.guarded(c, first))
		w.resign(second)
	})
}

func TestAProclaimedValueIsSeenByAllAndKeepsTheTerm(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.Session(), election.WithMetadata(map[string]string{"zone": "b"}))
		term := w.campaign(e, "one")
		for _, v := range []string{"two", "three", "three", ""} {
			require.NoError(w, term.Proclaim(w.Context(), []byte(v)))
			require.Equal(w, v, string(term.Value()))
			l, err := e.Leader(w.Context())
			require.NoError(w, err)
			require.Equal(w, v, string(l.Value))
			require.Equal(w, "b", l.Metadata["zone"])
		}
		said := []byte("four")
		require.NoError(w, term.Proclaim(w.Context(), said))
		term.Value()[0], said[0] = 'X', 'X' // the caller's own, both of them
		require.Equal(w, "four", string(term.Value()))
		require.True(w, w.guarded(w.Client(), term))
		w.resign(term)
		require.ErrorIs(w, term.Proclaim(w.Context(), nil), election.ErrResigned)
	})
}

func TestALostProclamationIsResolvedAndALateOneOverwritesNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.At(1)
		e := stand(s)
		term := w.campaign(e, "one")
		_, apply := w.Late()
		require.NoError(w, term.Proclaim(w.Context(), []byte("two"))) // repeated
		require.NoError(w, term.Proclaim(w.Context(), []byte("three")))
		apply()
		time.Sleep(time.Second)
		l, err := e.Leader(w.Context())
		require.NoError(w, err)
		require.Equal(w, "three", string(l.Value))

		// One whose caller gave up.
		_, apply = w.Late()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.ErrorIs(w, term.Proclaim(ctx, []byte("four")), context.DeadlineExceeded)
		require.NoError(w, term.Proclaim(w.Context(), []byte("five")))
		apply()
		time.Sleep(time.Second)
		l, err = e.Leader(w.Context())
		require.NoError(w, err)
		require.Equal(w, "five", string(l.Value))
		w.resign(term)
	}, three...)
}

func TestLeaderCandidatesAndVacancyAreToldAsTheyAre(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.Session())
		_, err := e.Leader(w.Context())
		require.ErrorIs(w, err, election.ErrVacant)
		a := w.campaign(e, "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		c := w.start(w.Context(), e, "c")
		l, err := e.Leader(w.Context())
		require.NoError(w, err)
		require.Equal(w, "a", string(l.Value))
		require.Equal(w, a.Token(), l.Created)
		require.NotZero(w, l.PID)
		cs, err := e.Candidates(w.Context())
		require.NoError(w, err)
		require.Len(w, cs, 2)
		require.Equal(w, []string{"b", "c"}, []string{string(cs[0].Value), string(cs[1].Value)})
		require.Equal(w, []int{1, 2}, []int{cs[0].Position, cs[1].Position})
		w.resign(a)
		w.resign(w.leads(b))
		w.resign(w.leads(c))
	})
}

func TestACampaignThatIsGivenUpLeavesTheLineAndSaysWhoWasInFront(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.campaign(stand(w.Session()), "a")
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := stand(w.Session()).Campaign(ctx, []byte("b"))
		require.ErrorIs(w, err, context.DeadlineExceeded)
		var e *election.Error
		require.ErrorAs(w, err, &e)
		require.Len(w, e.By, 1)
		require.Equal(w, "a", string(e.By[0].Value))
		require.Len(w, w.line(), 1)
		w.resign(a)
	})
}

// The end of the context with which a campaign was begun must not end the term.
func TestTheTimeoutOfACampaignDoesNotEndTheTermLater(t *testing.T) {
	inBubble(t, func(w *world) {
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		s, err := etcd.NewSession(ctx, w.Client())
		require.NoError(w, err)
		defer s.Close(w.Context())
		term, err := stand(s).Campaign(ctx, []byte("a"))
		require.NoError(w, err)
		time.Sleep(time.Minute)
		cancel()
		w.Settle()
		require.NoError(w, term.Err())
		require.NoError(w, term.Context().Err())
		w.resign(term)
	})
}

func TestWhatIsWrongWithAnElectionIsSaidByTheFirstCall(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		for what, e := range map[string]*election.Election{
			"no session":     election.New(nil, name),
			"zero":           new(election.Election),
			"empty name":     election.New(s, ""),
			"empty prefix":   election.New(s, name, election.WithPrefix("")),
			"no check":       election.New(s, name, election.WithHealthCheck(election.HealthCheck{})),
			"large metadata": election.New(s, name, election.WithMetadata(map[string]string{"x": string(make([]byte, 5000))})),
		} {
			_, err := e.Campaign(w.Context(), nil)
			require.Error(w, err, what)
			if what == "large metadata" {
				continue
			}
			_, err = e.State(w.Context())
			require.Error(w, err, what)
			for _, err := range e.Observe(w.Context()) {
				require.Error(w, err, what)
			}
			require.Error(w, e.Run(w.Context(), nil, func(context.Context, *election.Term) error { return nil }))
		}
		_, err := stand(s).Campaign(w.Context(), make([]byte, election.MaxValue+1))
		require.ErrorContains(w, err, "larger than")
		require.Error(w, stand(s).Run(w.Context(), nil, nil))
		require.Empty(w, w.line())
	})
}

func TestWithoutAClientThereIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.Session())
		term := w.campaign(e, "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		st, err := e.State(w.Context())
		require.NoError(w, err)
		errs := []error{
			election.Ask(w.Context(), nil, name, *st.Leader, st.Candidates[0]),
			election.Depose(w.Context(), nil, name, *st.Leader, st.Candidates[0]),
		}
		_, err = election.Look(w.Context(), nil, name)
		errs = append(errs, err)
		for _, err := range election.All(w.Context(), nil) {
			errs = append(errs, err)
		}
		for _, err := range election.Observe(w.Context(), nil, name) {
			errs = append(errs, err)
		}
		require.Len(w, errs, 5)
		for _, err := range errs {
			require.ErrorContains(w, err, "no client")
		}
		w.resign(term)
		w.resign(w.leads(b))
	})
}

// The reply is lost, and before the outcome is found out somebody asks the leader
// to hand over: its word stands there all the same, and is not said twice.
func TestALostProclamationIsNotMadeTwiceBecauseOfAWish(t *testing.T) {
	inBubble(t, func(w *world) {
		term := w.campaign(stand(w.At(1)), "one")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		obs := w.observe(w.ClientAt(0))
		obs.sees(election.Elected, "one")
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
		said := make(chan error, 1)
		go func() { said <- term.Proclaim(w.Context(), []byte("two")) }()
		require.NoError(w, in.Await(w.Context(), 1))
		obs.sees(election.Proclaimed, "two")
		st, err := election.Look(w.Context(), w.ClientAt(0), name)
		require.NoError(w, err)
		require.NoError(w, election.Ask(w.Context(), w.ClientAt(0), name, *st.Leader, st.Candidates[0]))
		require.NoError(w, <-said)
		close(hold)
		obs.seesNothing()
		require.NoError(w, term.Proclaim(w.Context(), []byte("two")))
		obs.sees(election.Proclaimed, "two")
		w.resign(term)
		w.resign(w.leads(b))
	}, three...)
}

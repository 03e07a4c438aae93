package election_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcdtest"
)

// depose takes the leadership from whoever has it and gives it to the candidate
// that says value.
func (w *world) depose(value string) {
	w.Helper()
	c := w.Client()
	s, err := election.Look(w.Context(), c, name)
	require.NoError(w, err)
	for _, to := range s.Candidates {
		if string(to.Value) == value {
			require.NoError(w, election.Depose(w.Context(), c, name, *s.Leader, to))
			return
		}
	}
	w.Fatalf("nobody who waits says %q", value)
}

// The deposed leader's key is the other's from then on, and the same Election
// must not use it for its next candidate.
func TestWhoWasDeposedStandsAgainWhileTheOtherLeads(t *testing.T) {
	for _, heard := range []time.Duration{0, time.Second} {
		inBubble(t, func(w *world) {
			e := stand(w.Session())
			a := w.campaign(e, "a")
			b := w.start(w.Context(), stand(w.Session()), "b")
			time.Sleep(heard)
			w.depose("b")
			bTerm := w.leads(b)
			require.ErrorIs(w, a.Resign(w.Context()), election.ErrDeposed)
			again := w.start(w.Context(), e, "a again")
			w.waits(again)
			require.Len(w, w.line(), 3, "b's key, what tells of the handover, and the candidate's")
			w.resign(bTerm)
			w.resign(w.leads(again))
			require.Empty(w, w.line())
		})
	}
}

func TestRunStandsAgainAfterItWasDeposed(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.run(stand(w.Session()))
		s := c.begins()
		b := w.start(w.Context(), stand(w.Session()), "b")
		time.Sleep(time.Second)
		w.depose("b")
		require.ErrorIs(w, w.Ended(s.ctx), election.ErrDeposed)
		s.finish <- nil
		require.ErrorIs(w, <-c.stopped, election.ErrDeposed)
		bTerm := w.leads(b)
		time.Sleep(time.Minute)
		require.Len(w, w.line(), 3, "it stands behind b")
		w.resign(bTerm)
		s = c.begins()
		c.stop(errStop)
		s.finish <- nil
		require.ErrorIs(w, <-c.done, errStop)
	})
}

// The candidate's key was created and the reply lost; when it repeats the
// request the leadership that it did not know of has been given away.
func TestACandidateThatWasDeposedBeforeItKnewThatItLedIsToldSo(t *testing.T) {
	inBubble(t, func(w *world) {
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
		e := stand(w.At(1))
		a := w.start(w.Context(), e, "a")
		require.NoError(w, in.Await(w.Context(), 1))
		b := w.start(w.Context(), stand(w.At(0)), "b")
		w.depose("b")
		bTerm := w.leads(b)
		require.ErrorIs(w, w.fails(a), election.ErrDeposed)
		close(hold)
		again := w.start(w.Context(), e, "a again")
		w.waits(again)
		require.NoError(w, bTerm.Err())
		w.resign(bTerm)
		w.resign(w.leads(again))
		time.Sleep(time.Minute)
		require.Empty(w, w.line())
	}, three...)
}

// Two candidates of one session: the one who leads without having heard of it is
// deposed for the other, and gives up. It must not take the other's term along.
func TestACandidateThatGivesUpDoesNotEndTheTermThatItsKeyBecame(t *testing.T) {
	for _, trouble := range []string{"", "and was asked to hand over before"} {
		inBubble(t, func(w *world) {
			first := w.campaign(stand(w.At(0)), "first")
			s := w.At(1)
			ctx, cancel := context.WithCancel(w.Context())
			a := w.start(ctx, stand(s), "a")
			b := w.start(w.Context(), stand(s), "b")
			time.Sleep(time.Second)
			w.Srv.StallWatches()
			w.resign(first)
			if trouble != "" {
				st, err := election.Look(w.Context(), w.Client(), name)
				require.NoError(w, err)
				require.NoError(w, election.Ask(w.Context(), w.Client(), name, *st.Leader, st.Candidates[0]))
			}
			w.depose("b")
			cancel()
			err := w.fails(a)
			require.True(w, errors.Is(err, context.Canceled), "%v", err)
			w.Srv.ResumeWatches()
			bTerm := w.leads(b)
			time.Sleep(time.Minute)
			require.NoError(w, bTerm.Err(), trouble)
			require.True(w, w.guarded(w.Client(), bTerm))
			w.resign(bTerm)
			require.Empty(w, w.line())
		}, three...)
	}
}

// The same without the deposing: whatever its key says meanwhile it is taken out.
func TestACandidateThatGivesUpLeavesAlsoIfItWasAskedToHandOver(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.campaign(stand(w.At(0)), "first")
		ctx, cancel := context.WithCancel(w.Context())
		a := w.start(ctx, stand(w.At(1)), "a")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		time.Sleep(time.Second)
		w.Srv.StallWatches()
		w.resign(first)
		st, err := election.Look(w.Context(), w.Client(), name)
		require.NoError(w, err)
		require.NoError(w, election.Ask(w.Context(), w.Client(), name, *st.Leader, st.Candidates[0]))
		cancel()
		require.ErrorIs(w, w.fails(a), context.Canceled)
		w.Settle()
		require.Len(w, w.line(), 1, "it is out at once")
		w.Srv.ResumeWatches()
		w.resign(w.leads(b))
		require.Empty(w, w.line())
	}, three...)
}

// The candidate's key was created and the reply lost; when it repeats the request
// it has been asked to hand over.
func TestACandidateThatIsAskedToHandOverBeforeItKnowsThatItLeadsHearsOfIt(t *testing.T) {
	inBubble(t, func(w *world) {
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
		a := w.start(w.Context(), stand(w.At(1)), "a")
		require.NoError(w, in.Await(w.Context(), 1))
		b := w.start(w.Context(), stand(w.At(0)), "b")
		st, err := election.Look(w.Context(), w.ClientAt(0), name)
		require.NoError(w, err)
		require.NoError(w, election.Ask(w.Context(), w.ClientAt(0), name, *st.Leader, st.Candidates[0]))
		aTerm := w.leads(a)
		close(hold)
		r, err := aTerm.Request(w.Context())
		require.NoError(w, err)
		require.True(w, w.guarded(w.ClientAt(0), aTerm))
		require.NoError(w, aTerm.Transfer(w.Context(), r.To))
		w.resign(w.leads(b))
		time.Sleep(time.Minute)
		require.Empty(w, w.line())
	}, three...)
}

package election_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcdtest"
)

// The enqueue that had no answer is carried out right before its repetition, and
// in between the candidate is handed the leadership, which takes its key away: the
// repetition must not put it in the line again.
func TestACandidateIsHandedTheLeadershipBetweenTheAttemptsToEnterTheLine(t *testing.T) {
	inBubble(t, func(w *world) {
		e := stand(w.At(0))
		a := w.campaign(e, "a")
		_, apply := w.Late()
		hold := make(chan struct{})
		again := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Skip: 1, Hold: hold})
		it := w.start(w.Context(), stand(w.At(1)), "it")
		require.NoError(w, again.Await(w.Context(), 1))
		require.Len(w, w.line(), 1)
		apply()
		w.Settle()
		require.NoError(w, a.Transfer(w.Context(), w.waiting(e, "it")))
		close(hold)
		term := w.leads(it)
		require.Greater(w, term.Token(), a.Token())
		require.True(w, w.guarded(w.ClientAt(0), term))
		require.Len(w, w.line(), 2, "the leader's key and the handover's")
		w.resign(term)
		time.Sleep(time.Minute)
		require.Empty(w, w.line())
	}, three...)
}

// A candidate's key was deleted, and whether somebody handed over to it is not
// found out in time: the end of the caller's context is not waited for in vain.
func TestACampaignEndsWithItsContextWhileItIsNotKnownWhetherItWasHandedTheLeadership(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.campaign(stand(w.At(0)), "a")
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		it := w.start(ctx, stand(w.At(1)), "it")
		hold := make(chan struct{})
		defer close(hold)
		w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/range", Hold: hold})
		w.Srv.Delete(w.line()[1])
		w.Settle()
		w.resign(a)
		require.ErrorIs(w, w.fails(it), context.DeadlineExceeded)
		require.Less(w, time.Since(begin), 5*time.Second, "two seconds late at most")
	}, three...)
}

// A campaign is given up and leaves the line, and right after that etcd can't be
// asked. What the session then looks for must not be the candidate that stands
// next under the key that has become free.
func TestWhoGaveACampaignUpAndStandsAgainIsNotTakenForALeftover(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.campaign(stand(w.At(0)), "a")
		e := stand(w.At(1))
		ctx, cancel := context.WithCancel(w.Context())
		it := w.start(ctx, e, "it")
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/range", LoseRequest: true,
			Match: func(r *etcdtest.Request) bool { return r.Touches(election.Root + name + "/handover") }})
		cancel()
		require.ErrorIs(w, w.fails(it), context.Canceled)
		in.Remove()
		it = w.start(w.Context(), e, "it")
		time.Sleep(time.Minute)
		w.waits(it)
		w.resign(a)
		term := w.leads(it)
		time.Sleep(time.Minute)
		require.NoError(w, term.Err())
		w.resign(term)
		require.Empty(w, w.line())
	}, three...)
}

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

// Between the transfer and the moment at which the heir hears of it the heir may
// give up: nobody must be left leading who does not know.
func TestAnHeirThatGivesUpInThatMomentLetsTheNextLead(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.At(0))
		a := w.campaign(e, "a")
		ctx, cancel := context.WithCancel(w.Context())
		heir := w.start(ctx, stand(w.At(1)), "heir")
		next := w.start(w.Context(), stand(w.At(2)), "next")
		to := w.waiting(e, "heir")
		w.Srv.StallWatches()
		require.NoError(w, a.Transfer(w.Context(), to))
		w.waits(heir)
		cancel()
		require.ErrorIs(w, w.fails(heir), context.Canceled)
		w.Srv.ResumeWatches()
		w.resign(w.leads(next))
		require.Empty(w, w.line())
	}, three...)
}

// It gives up while etcd does not answer it, so it cannot leave the line, and is
// made leader afterwards.
func TestAnHeirThatHasGivenUpWithoutBeingAbleToLeaveDoesNotBlockTheElection(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.At(0))
		a := w.campaign(e, "a")
		ctx, cancel := context.WithCancel(w.Context())
		heir := w.start(ctx, stand(w.At(1)), "heir")
		next := w.start(w.Context(), stand(w.At(2)), "next")
		to := w.waiting(e, "heir")
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", LoseRequest: true})
		hold := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/lease/timetolive", LoseRequest: true})
		cancel()
		require.ErrorIs(w, w.fails(heir), context.Canceled)
		require.NoError(w, a.Transfer(w.Context(), to))
		in.Remove()
		hold.Remove()
		n := w.leads(next) // the session of the heir has tidied up
		w.resign(n)
		time.Sleep(time.Minute)
		require.Empty(w, w.line())
	}, three...)
}

func TestAnHeirThatDiesIsFollowedByTheNext(t *testing.T) {
	bothWays(t, func(w *world) {
		e := stand(w.At(0))
		a := w.campaign(e, "a")
		heir := w.start(w.Context(), stand(w.At(1)), "heir")
		next := w.start(w.Context(), stand(w.At(2)), "next")
		to := w.waiting(e, "heir")
		w.Srv.Pause(1)
		time.Sleep(time.Second)
		require.NoError(w, a.Transfer(w.Context(), to))
		require.ErrorIs(w, w.fails(heir), etcd.ErrSessionExpired)
		n := w.leads(next)
		require.Greater(w, n.Token(), a.Token())
		w.Srv.Resume(1)
		w.resign(n)
		require.Empty(w, w.line())
	}, three...)
}

// The heir's word is carried over with the leadership, so it must be the one that
// stands there: where somebody has changed it meanwhile nothing is handed over.
func TestAnHeirWhoseKeyWasChangedInThatMomentIsNotMadeLeaderByAnOldWord(t *testing.T) {
	bothWays(t, func(w *world) {
		a := w.campaign(stand(w.At(1)), "a")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		heir := w.start(w.Context(), stand(w.At(0)), "heir")
		to := w.waiting(stand(w.At(0)), "heir")
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Hold: hold})
		done := make(chan error, 1)
		go func() { done <- a.Transfer(w.Context(), to) }()
		require.NoError(w, in.Await(w.Context(), 1))
		word := []byte(`{"kind":"candidate","value":"bmV3"}`) // as another program may write it: "new"
		_, err := w.ClientAt(0).Put(w.Context(), to.Key, word, etcd.IgnoreLease())
		require.NoError(w, err)
		close(hold)
		require.ErrorIs(w, <-done, election.ErrNoCandidate)
		bTerm := w.leads(b) // a has resigned
		w.waits(heir)
		require.Equal(w, to.Key, w.waiting(stand(w.At(0)), "new").Key)
		w.resign(bTerm)
		w.resign(w.leads(heir))
		require.Empty(w, w.line())
	}, three...)
}

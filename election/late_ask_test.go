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

// A wish gets no answer and never arrives; when it is repeated the leader has
// said something else.
func TestAWishThatWasNotWrittenDownIsNotSaidToBe(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.campaign(stand(w.At(0)), "a")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		w.Settle()
		c := w.ClientAt(1)
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		in, apply := w.Late()
		asked := make(chan error, 1)
		go func() { asked <- election.Ask(w.Context(), c, name, *s.Leader, s.Candidates[0]) }()
		require.NoError(w, in.Await(w.Context(), 1))
		require.NoError(w, a.Proclaim(w.Context(), []byte("a2")))
		require.ErrorIs(w, <-asked, election.ErrChanged)
		apply()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err = a.Request(ctx)
		require.ErrorIs(w, err, context.DeadlineExceeded, "and it does not come late")
		w.resign(a)
		w.resign(w.leads(b))
	}, three...)
}

func TestAWishWhoseReplyIsLostIsFoundThereAlsoBelowANewerWord(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.campaign(stand(w.At(0)), "a")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		w.Settle()
		c := w.ClientAt(1)
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
		asked := make(chan error, 1)
		go func() { asked <- election.Ask(w.Context(), c, name, *s.Leader, s.Candidates[0]) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.Settle()
		require.NoError(w, a.Proclaim(w.Context(), []byte("a2")))
		require.NoError(w, <-asked)
		close(hold)
		_, err = a.Request(w.Context())
		require.NoError(w, err)
		w.resign(a)
		w.resign(w.leads(b))
	}, three...)
}

// The reply is lost, and what follows is a refusal of the repetition that says
// nothing of the first attempt.
func TestADefiniteRefusalAfterAnAttemptOfUnknownOutcomeIsOfUnknownOutcome(t *testing.T) {
	for _, op := range []string{"ask", "depose"} {
		t.Run(op, func(t *testing.T) {
			inBubble(t, func(w *world) {
				a := w.campaign(stand(w.At(0)), "a")
				b := w.start(w.Context(), stand(w.At(0)), "b")
				w.Settle()
				c := w.ClientAt(1)
				s, err := election.Look(w.Context(), c, name)
				require.NoError(w, err)
				w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, LoseReply: true})
				w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, Skip: 1, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
				do := election.Ask
				if op == "depose" {
					do = election.Depose
				}
				err = do(w.Context(), c, name, *s.Leader, s.Candidates[0])
				require.ErrorIs(w, err, etcd.ErrPermissionDenied)
				require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
				if op == "ask" {
					w.resign(a)
				}
				w.resign(w.leads(b))
			}, three...)
		})
	}
}

// The reply to a Depose is lost, and before it is repeated the heir is deposed as
// well: it was done.
func TestADeposeThatWasDoneIsNotSaidToHaveFailedBecauseTheHeirIsGoneToo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.campaign(stand(w.At(0)), "a")
		b := w.start(w.Context(), stand(w.At(0)), "b")
		w.Settle()
		c := w.ClientAt(1)
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		hold := make(chan struct{})
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
		deposed := make(chan error, 1)
		go func() { deposed <- election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0]) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.resign(w.leads(b))
		require.ErrorIs(w, <-deposed, etcd.ErrUnknownOutcome)
		close(hold)
	}, three...)
}

func TestADeposeOfALeaderWhoHasSpokenSinceSaysThatItHasChanged(t *testing.T) {
	inBubble(t, func(w *world) {
		c := w.Client()
		a := w.campaign(stand(w.Session()), "a")
		b := w.start(w.Context(), stand(w.Session()), "b")
		w.Settle()
		s, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		require.NoError(w, a.Proclaim(w.Context(), []byte("a2")))
		err = election.Depose(w.Context(), c, name, *s.Leader, s.Candidates[0])
		require.ErrorIs(w, err, election.ErrChanged)
		require.NotErrorIs(w, err, election.ErrNoCandidate)
		w.resign(a)
		w.resign(w.leads(b))
	})
}

// The first attempt may still come, so the refusal of its repetition is not the
// last word.
func TestAProclamationThatMayStillComeIsOfUnknownOutcome(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.campaign(stand(w.At(1)), "a")
		in, apply := w.Late()
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, Skip: 1, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		err := a.Proclaim(w.Context(), []byte("a2"))
		require.ErrorIs(w, err, etcd.ErrPermissionDenied)
		require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
		require.Equal(w, 1, in.Hits())
		apply()
		w.Settle()
		l, err := stand(w.At(0)).Leader(w.Context())
		require.NoError(w, err)
		require.Equal(w, "a2", string(l.Value))
		w.resign(a)
	}, three...)
}

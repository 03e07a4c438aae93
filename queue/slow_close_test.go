package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// leaves matches the transaction by which a consumer ends its presence.
func leaves(r *etcdtest.Request) bool { return r.Puts(data + "c/took") }

// Before a suspect is claimed, its consumer looks where it is. If the answer comes
// when the consumer is being closed, it must not claim what it could not hand back
// any more.
func TestAConsumerThatIsBeingClosedBeginsNoClaim(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, "x")
		a.takeOne()
		a.die()
		b := w.node()
		look, leave := make(chan struct{}), make(chan struct{})
		looking := w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Times: 1, Hold: look, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "jobs/0/0000000000000000")
		}})
		leaving := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: leave, Match: leaves})
		received, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := b.Receive(w.Context(), 1)
			received <- err
		}()
		require.NoError(w, looking.Await(w.Context(), 1))
		go func() { closed <- b.Close(w.Context()) }()
		require.NoError(w, leaving.Await(w.Context(), 1))
		close(look)
		w.settle()
		require.Empty(w, w.srv.Keys(data+"claim/"))
		close(leave)
		require.NoError(w, <-closed)
		require.ErrorIs(w, <-received, queue.ErrConsumerClosed)
		require.ErrorIs(w, b.Err(), queue.ErrConsumerClosed)
		d := w.node().takeOne()
		require.Equal(w, 2, d.Attempt, "the one that died was one")
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

func TestCloseWaitsForADeadLetterThatIsOnItsWay(t *testing.T) {
	inBubble(t, func(w *world) {
		n := w.node()
		_, err := queue.New[[]byte](w.client(), name).Enqueue(w.Context(), []byte("{no json"))
		require.NoError(w, err)
		hold := make(chan struct{})
		burying := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data+"jobs/0/0000000000000000") && !r.Puts(data+"c/head")
		}})
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err = n.Receive(ctx, 1)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.NoError(w, burying.Await(w.Context(), 1))
		closed := make(chan error, 1)
		go func() { closed <- n.Close(w.Context()) }()
		w.settle()
		require.Empty(w, closed)
		close(hold)
		require.NoError(w, <-closed)
		dead := w.list(n.q, queue.Dead)
		require.Len(w, dead, 1)
		require.Equal(w, 1, dead[0].Attempt)
		require.Equal(w, "unreadable", dead[0].DiedBy)
		require.Empty(w, w.srv.Keys(data+"claim/"))
	})
}

// It would wait for as long as etcd is full.
func TestCloseDoesNotWaitForADeadLetterThatCannotBeWritten(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		_, err := queue.New[[]byte](w.client(), name).Enqueue(w.Context(), []byte("{no json"))
		require.NoError(w, err)
		hold := make(chan struct{})
		burying := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data+"jobs/0/0000000000000000") && !r.Puts(data+"c/head")
		}})
		go func() { _, _ = n.Receive(w.Context(), 1) }()
		require.NoError(w, burying.Await(w.Context(), 1))
		w.srv.SetNoSpace(true)
		close(hold)
		w.settle()
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		require.NoError(w, n.Close(ctx))
		w.srv.SetNoSpace(false)
		w.node().none(time.Minute)
		require.EqualValues(w, 1, w.stats(n.q).Dead)
	})
}

// Nor for a claim whose reply was lost, and which cannot be handed back.
func TestCloseDoesNotWaitForAClaimThatCannotBeHandedBack(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		hold := make(chan struct{})
		claiming := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold, LoseReply: true, Match: func(r *etcdtest.Request) bool {
			return r.Puts(data + "claim/" + n.ID() + "/00000001")
		}})
		go func() { _, _ = n.Receive(w.Context(), 1) }()
		w.settle()
		w.push(w.queue(), "x")
		require.NoError(w, claiming.Await(w.Context(), 1))
		w.srv.SetNoSpace(true)
		close(hold)
		w.settle()
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		require.NoError(w, n.Close(ctx))
		w.srv.SetNoSpace(false)
		require.Equal(w, "x", w.node().takeOne().Value)
	})
}

// What is handed back while the consumer is being closed may fail, and is then
// handed back by Close.
func TestCloseHandsBackWhatWasBeingHandedBackInVain(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(3), queue.MaxClaimAge(time.Second))
		w.push(q, "x", "y", "z")
		hold := make(chan struct{})
		fails := etcdtest.Fault{
			Path: txnPath, Times: 1, Refuse: &etcdtest.Error{Code: 7, Message: "etcdserver: permission denied"},
			Match: func(r *etcdtest.Request) bool {
				return r.Touches(data+"claim/"+n.ID()+"/00000001") && !leaves(r) && !r.Touches(data+"c/head")
			},
		}
		w.srv.Inject(fails) // for their age
		fails.Skip, fails.Hold = 1, hold
		handing := w.srv.Inject(fails) // at once again
		require.NoError(w, handing.Await(w.Context(), 1))
		closed := make(chan error, 1)
		go func() { closed <- n.Close(w.Context()) }()
		w.settle()
		close(hold)
		require.NoError(w, <-closed)
		for _, d := range w.node().take(3) {
			require.Equal(w, 1, d.Attempt)
			require.NoError(w, d.Ack(w.Context()))
		}
		w.empty()
	})
}

// The session goes on living, so it is not its end that frees the jobs.
func TestWhatACloseThatRanOutOfTimeLeavesIsTakenOverAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a, b := w.queue(), w.node(queue.Prefetch(2)), w.node()
		w.push(q, "x", "y")
		d := a.takeOne()
		w.settle()
		hung := make(chan struct{})
		defer close(hung)
		claiming := w.srv.Inject(etcdtest.Fault{Path: txnPath, Hold: hung, Match: func(r *etcdtest.Request) bool {
			return r.Puts(data + "claim/" + a.ID() + "/00000002")
		}})
		w.push(q, "z")
		go func() { _, _ = a.Receive(w.Context(), 2) }()
		require.NoError(w, claiming.Await(w.Context(), 1))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.ErrorIs(w, a.Close(ctx), context.DeadlineExceeded)
		require.ErrorIs(w, d.Err(), queue.ErrConsumerClosed)
		ctx, cancel = context.WithTimeout(w.Context(), 5*time.Second)
		defer cancel()
		var got []string
		for len(got) < 3 {
			ds, err := b.Receive(ctx, 3)
			require.NoError(w, err, "after %v", got)
			got = append(got, values(ds)...)
			w.ackAll(ds)
		}
		require.Equal(w, []string{"x", "y", "z"}, sorted(got))
		require.NoError(w, a.s.Err())
		w.empty()
	})
}

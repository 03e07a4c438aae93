package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// The reply to the last ack of a claim is lost, and before it is repeated the
// consumer's presence ends: the record is gone, and only history tells by whom.
func TestALostReplyToAnAckIsResolvedByHistory(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for _, compacted := range []bool{false, true} {
			t.Run(fmt.Sprintf("applied %v, compacted %v", applied, compacted), func(t *testing.T) {
				inBubble(t, func(w *world) {
					q, a, b := w.queue(), w.node(), w.node()
					w.push(q, "x", "y")
					ds := a.take(2)
					require.NoError(w, ds[0].Ack(w.Context()))
					cut := make(chan struct{})
					in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: func(r *etcdtest.Request) bool {
						return r.Touches(data + "jobs/0/0000000000000001")
					}, LoseRequest: !applied, LoseReply: applied, Hold: map[bool]chan struct{}{false: cut}[applied], HoldReply: map[bool]chan struct{}{true: cut}[applied]})
					got := make(chan error)
					go func() { got <- ds[1].Ack(w.Context()) }()
					require.NoError(w, in.Await(w.Context(), 1))
					w.settle()
					a.die()
					var again *queue.Delivery[string]
					if !applied {
						again = b.takeOne()
					}
					if compacted {
						require.NoError(w, w.srv.Compact(w.srv.Revision()))
					}
					close(cut)
					err := <-got
					switch {
					case !applied:
						require.ErrorIs(w, err, queue.ErrClaimLost)
						require.NoError(w, again.Ack(w.Context()))
					case compacted:
						require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
					default:
						require.NoError(w, err, "it was acknowledged in time")
					}
					b.none(time.Minute)
					w.audit()
					w.empty()
				})
			})
		}
	}
}

func TestAnAckOfUnknownOutcomeCanBeRepeatedButNotTurnedIntoSomethingElse(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, "x", "y", "z")
		ds := a.take(3)
		for i, settle := range []func(context.Context) error{
			ds[0].Ack,
			func(ctx context.Context) error { return ds[1].Nack(ctx, time.Hour) },
			func(ctx context.Context) error {
				_, err := ds[2].AckWith(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("result", nil)}})
				return err
			},
		} {
			hold := make(chan struct{})
			in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
			ctx, cancel := context.WithCancel(w.Context())
			got := make(chan error)
			go func() { got <- settle(ctx) }()
			require.NoError(w, in.Await(w.Context(), 1))
			w.settle()
			cancel()
			require.ErrorIs(w, <-got, etcd.ErrUnknownOutcome)
			close(hold)
			require.ErrorIs(w, ds[i].Dead(w.Context(), "x"), queue.ErrSettled)
			require.NoError(w, settle(w.Context()), "repeated")
		}
		_, ok := w.srv.Get("result")
		require.True(w, ok)
		log := w.audit()
		require.Len(w, log.Gone, 2)
		require.EqualValues(w, 1, w.stats(q).Delayed)
	})
}

// A job is given back, and the reply is lost; its neighbour keeps the record
// alive. The old delivery must not be able to acknowledge what somebody else
// has by now.
func TestADeliveryThatMayHaveBeenReturnedCannotBeAcknowledged(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x", "y")
		ds := a.take(2)
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
		ctx, cancel := context.WithCancel(w.Context())
		got := make(chan error)
		go func() { got <- ds[0].Return(ctx) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.settle()
		cancel()
		require.ErrorIs(w, <-got, etcd.ErrUnknownOutcome)
		close(hold)
		d := b.takeOne()
		require.Equal(w, "x", d.Value)
		require.ErrorIs(w, ds[0].Ack(w.Context()), queue.ErrSettled)
		require.NoError(w, ds[0].Return(w.Context()), "repeated, it finds that it is done")
		require.NoError(w, d.Ack(w.Context()))
		require.NoError(w, ds[1].Ack(w.Context()))
		w.audit()
		w.empty()
	})
}

func TestAProcessThatIsPausedAMinuteCanChangeNothingWhenItWakes(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		c := w.client(func(cfg *etcd.Config) { cfg.Endpoints = cfg.Endpoints[1:2] })
		a := w.nodeOf(c, w.session(c))
		c2 := w.client(func(cfg *etcd.Config) { cfg.Endpoints = cfg.Endpoints[2:3] })
		b := w.nodeOf(c2, w.session(c2))
		w.settle()
		w.push(q, "x")
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		ds, err := a.Receive(ctx, 1)
		require.NoError(w, err)
		w.srv.Pause(1) // from its side the same as being paused itself
		again := b.takeOne()
		w.srv.Resume(1)
		err = ds[0].Ack(w.Context())
		require.ErrorIs(w, err, queue.ErrClaimLost)
		require.Error(w, ds[0].Context().Err())
		require.NoError(w, again.Ack(w.Context()))
		_, err = a.Receive(w.Context(), 1)
		require.Error(w, err)
		w.audit()
	}, etcdtest.WithMembers(3))
}

// givenUp makes a delivery whose Ack has had no answer for as long as its caller
// waited. It does not come later.
func (w *world) givenUp(n *node) *queue.Delivery[string] {
	w.Helper()
	w.push(n.q, "x")
	d := n.takeOne()
	in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Hold: make(chan struct{}), Match: func(r *etcdtest.Request) bool {
		return r.Touches(data + "jobs/0/0000000000000000")
	}})
	defer in.Remove()
	ctx, cancel := context.WithTimeout(w.Context(), time.Second)
	defer cancel()
	require.ErrorIs(w, d.Ack(ctx), etcd.ErrUnknownOutcome)
	return d
}

// The Ack would have removed the record of the claim as well, which nobody else
// looks after meanwhile.
func TestAClaimGoesOnAfterAnAckThatItsCallerGaveUp(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		require.NoError(w, w.givenUp(n).Ack(w.Context()))
		w.empty()
	})
}

func TestAJobWhoseAckWasGivenUpIsDeliveredAgainAtTheMaximumAge(t *testing.T) {
	inBubbles(t, func(w *world) {
		n, b := w.node(queue.MaxClaimAge(time.Minute)), w.node()
		start := time.Now()
		d := w.givenUp(n)
		again := b.takeOne()
		require.InDelta(w, time.Minute, time.Since(start), float64(2*time.Second))
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrClaimAge)
		require.NoError(w, again.Ack(w.Context()))
		w.empty()
	})
}

func TestWhoGaveAnAckUpIsToldWhenTheClaimIsTakenAway(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		d := w.givenUp(n)
		_, err := n.q.Reclaim(w.Context(), n.ID())
		require.NoError(w, err)
		w.settle()
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrClaimLost)
	})
}

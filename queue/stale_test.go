package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// held up at the server until the consumer is dead and its claims are somebody
// else's, though the consumer could not know when it sent it.
func (w *world) overtaken(n *node, match func(*etcdtest.Request) bool, settle func() error, meanwhile func()) error {
	w.Helper()
	hold := make(chan struct{})
	in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: hold, Match: match})
	got := make(chan error, 1)
	go func() { got <- settle() }()
	require.NoError(w, in.Await(w.Context(), 1))
	w.settle()
	n.die()
	meanwhile()
	close(hold)
	return <-got
}

func TestWhatAStaleConsumerHasSentIsRefusedByTheServer(t *testing.T) {
	for what, settle := range map[string]func(ctx context.Context, d *queue.Delivery[string]) error{
		"ack":  func(ctx context.Context, d *queue.Delivery[string]) error { return d.Ack(ctx) },
		"nack": func(ctx context.Context, d *queue.Delivery[string]) error { return d.Nack(ctx, 0) },
		"dead": func(ctx context.Context, d *queue.Delivery[string]) error { return d.Dead(ctx, "x") },
		"return": func(ctx context.Context, d *queue.Delivery[string]) error {
			return d.Return(ctx)
		},
		"ack with": func(ctx context.Context, d *queue.Delivery[string]) error {
			_, err := d.AckWith(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("result", nil)}})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubbles(t, func(w *world) {
				q, a, b := w.queue(), w.node(), w.node()
				w.push(q, "x", "y")
				ds := a.take(2)
				var again *queue.Delivery[string]
				match := func(r *etcdtest.Request) bool {
					return r.Touches(data + "claim/" + a.ID() + "/00000001")
				}
				err := w.overtaken(a, match, func() error { return settle(w.Context(), ds[0]) }, func() { again = b.takeOne() })
				require.ErrorIs(w, err, queue.ErrClaimLost)
				_, ok := w.srv.Get("result")
				require.False(w, ok)
				require.NoError(w, again.Err())
				require.NoError(w, again.Ack(w.Context()))
				require.NoError(w, b.takeOne().Ack(w.Context()))
				w.audit()
				w.empty()
			})
		})
	}
}

// A claim that arrives when its consumer's presence is gone, and others have
// looked for its claims already, would never be found again.
func TestAClaimOfAConsumerThatIsGoneIsRefusedHoweverLateItComes(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool {
			return r.Puts(data + "claim/" + a.ID() + "/00000001")
		}})
		go func() { _, _ = a.Receive(w.Context(), 1) }()
		w.settle()
		w.push(q, "x")
		require.NoError(w, in.Await(w.Context(), 1))
		b := w.node()
		a.die()
		time.Sleep(time.Second)
		close(late)
		w.settle()
		d := b.takeOne()
		require.Equal(w, 1, d.Attempt)
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

// Also a claim that is not late: a consumer that has not heard that it is gone
// gets nothing.
func TestAPausedQueueIsNotClaimedFromByAConsumerThatHasNotHeard(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.srv.StallWatches()
		require.NoError(w, q.Pause(w.Context(), "x"))
		own := a.q // its own client knows of the job at once
		w.push(own, "x")
		a.none(time.Second)
		require.Empty(w, w.srv.Keys(data+"claim/"))
		w.srv.ResumeWatches()
		require.NoError(w, q.Resume(w.Context()))
		require.NoError(w, a.takeOne().Ack(w.Context()))
	})
}

package queue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// A consumer may have two deliveries of one job: its claim was taken away, and it
// claimed the job anew. Both settlements put one key, which etcd takes only once
// in a commit.
func TestTwoDeliveriesOfOneJobThatAreSettledAtOnceDoNotSpoilOneAnother(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "first", "twice", "neighbour")
		ds := n.take(3)
		hold := make(chan struct{})
		first := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
		settle := func(d *queue.Delivery[string]) <-chan error {
			got := make(chan error, 1)
			go func() { got <- d.Nack(w.Context(), time.Hour) }()
			synctest.Wait()
			return got
		}
		before := settle(ds[0]) // the others gather behind it
		require.NoError(w, first.Await(w.Context(), 1))
		stale := settle(ds[1])
		_, err := q.Reclaim(w.Context(), n.ID())
		require.NoError(w, err)
		again := n.takeOne()
		require.Equal(w, ds[1].ID, again.ID)
		fresh := settle(again)
		close(hold)
		require.NoError(w, <-before)
		require.ErrorIs(w, <-stale, queue.ErrClaimLost)
		require.NoError(w, <-fresh)
		require.NoError(w, n.takeOne().Ack(w.Context()))
		require.EqualValues(w, 2, w.stats(q).Delayed)
		w.audit()
	})
}

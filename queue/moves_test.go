package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
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
			w.settle()
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

func TestLargeJobsThatAreNackedAtOnceFitIntoTheirCommits(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		for range 3 {
			_, err := q.Enqueue(w.Context(), "x", queue.Headers(map[string]string{"large": strings.Repeat("x", 700_000)}))
			require.NoError(w, err)
		}
		ds := n.take(3)
		hold := make(chan struct{})
		first := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold})
		got := make(chan error, 3)
		for _, d := range ds {
			go func() { got <- d.Nack(w.Context(), time.Second) }()
		}
		require.NoError(w, first.Await(w.Context(), 1))
		w.settle() // the others gather
		close(hold)
		for range ds {
			require.NoError(w, <-got)
		}
		w.ackAll(n.take(3))
		w.empty()
	})
}

// Errors are kept as JSON, in which a byte can take six.
func TestJobsWithLongErrorsAreBroughtBackIntoTheQueue(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(200))
		cause := errors.New(strings.Repeat("\x01", 2048))
		for range 120 {
			w.push(q, strings.Repeat("x", 16_000))
		}
		for _, d := range n.take(120) {
			require.NoError(w, d.Nack(w.Context(), time.Minute, queue.Because(cause)))
		}
		ds := n.take(120)
		require.Equal(w, cause.Error(), ds[0].LastError)
		require.NoError(w, n.Ack(w.Context(), ds...))
		w.empty()
	})
}

// The longest names and unique keys there can be.
func TestAcksOfJobsWithLongUniqueKeysFitIntoTheirCommits(t *testing.T) {
	inBubble(t, func(w *world) {
		long := strings.Repeat("/", 500)
		c := w.client()
		q := queue.New[string](c, long)
		n, err := q.Consumer(w.session(c), queue.Prefetch(500))
		require.NoError(w, err)
		defer n.Close(context.Background())
		for i := range 400 {
			_, err := q.Enqueue(w.Context(), "x", queue.Unique(fmt.Sprint(long, i)))
			require.NoError(w, err)
		}
		var ds []*queue.Delivery[string]
		for len(ds) < 400 {
			got, err := n.Receive(w.Context(), 400)
			require.NoError(w, err)
			ds = append(ds, got...)
		}
		require.NoError(w, n.Ack(w.Context(), ds...))
	})
}

// The context of a handler ends with the last job of its claim, which may be settled
// in the same commit as the handler's own.
func TestJobsThatAreSettledTogetherUnderTheirOwnContextsAreSettledForAllToSee(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		for round := range 30 {
			w.push(q, numbered(20)...)
			ds := n.take(20)
			errs := make(chan error, len(ds))
			for _, d := range ds {
				go func() {
					if round%2 == 0 {
						errs <- d.Ack(d.Context())
					} else {
						errs <- d.Dead(d.Context(), "x")
					}
				}()
			}
			for range ds {
				require.NoError(w, <-errs)
			}
		}
	})
}

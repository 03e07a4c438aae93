package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// Whoever tests a handler makes deliveries by hand.
func TestADeliveryMadeByHandIsSettledWithAnError(t *testing.T) {
	inBubble(t, func(w *world) {
		d := &queue.Delivery[string]{Value: "x", Job: queue.Job{ID: "t-1", Attempt: 1}}
		_, err := d.AckWith(w.Context(), etcd.Txn{})
		for _, err := range []error{
			err, d.Ack(w.Context()), d.Nack(w.Context(), time.Second), d.Dead(w.Context(), "x"), d.Return(w.Context()),
		} {
			require.ErrorContains(w, err, "t-1")
			require.ErrorContains(w, err, "not received")
		}
		require.Error(w, w.node().Ack(w.Context(), d))
		require.NoError(w, d.Context().Err())
		require.NoError(w, d.Err())
		require.Zero(w, d.Token())
		res, err := w.client().Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{d.Guard()}})
		require.NoError(w, err)
		require.False(w, res.Succeeded)
	})
}

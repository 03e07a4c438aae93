package queue_test

import (
	"context"
	"errors"
	"sync"
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

// The race detector watches: the record of a claim is written again while its
// neighbours are settled.
func TestNeighboursCanBeSettledAtOnceInAllWays(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, numbered(60)...)
		ds := n.take(60)
		over, cancel := context.WithCancel(w.Context())
		cancel()
		var wg sync.WaitGroup
		for i, d := range ds {
			wg.Go(func() {
				for range 20 {
					if err := d.Nack(over, time.Hour); !errors.Is(err, context.Canceled) {
						w.Errorf("a context that has ended: %v", err)
					}
				}
				var err error
				switch i % 4 {
				case 0:
					_, err = d.AckWith(w.Context(), etcd.Txn{})
				case 1:
					err = d.Return(w.Context())
				case 2:
					err = d.Nack(w.Context(), time.Hour)
				default:
					err = d.Ack(w.Context())
				}
				if err != nil {
					w.Error(i, err)
				}
			})
		}
		wg.Wait()
		w.settle()
		st := w.stats(q)
		require.EqualValues(w, []int64{15, 15, 0}, []int64{st.Ready, st.Delayed, st.Claimed})
	})
}

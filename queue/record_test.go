package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

// What stands among the jobs of a claim, and nobody knows of, is not forgotten
// with its record.
func TestARecordStaysAsLongAsAnythingStandsInIt(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		ids := w.push(q, "a", "b", "c")
		hole := data + "jobs/0/0000000000000001"
		kv, _ := w.srv.Get(hole)
		require.NoError(w, q.Cancel(w.Context(), ids[1]))
		ds := n.take(2)
		w.srv.Put(hole, kv.Value) // by hand
		w.ackAll(ds)
		time.Sleep(time.Minute)
		require.Len(w, w.srv.Keys(data+"claim/"), 1)
		require.NoError(w, n.Close(w.Context()))
		d := w.node().takeOne()
		require.Equal(w, "b", d.Value)
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

// A record in many pieces takes more comparisons than etcd allows.
func TestARecordOfManyPiecesIsRemovedWhenAllOfThemAreDone(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, numbered(500)...)
		ds := n.take(500)
		var odd, even []*queue.Delivery[string]
		for i, d := range ds {
			if i%2 == 0 {
				even = append(even, d)
			} else {
				odd = append(odd, d)
			}
		}
		require.NoError(w, n.Return(w.Context(), odd...))
		w.ackAll(even)
		require.NoError(w, n.Ack(w.Context(), n.take(250)...))
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		require.NoError(w, n.Close(ctx))
		w.audit()
		w.empty()
	})
}

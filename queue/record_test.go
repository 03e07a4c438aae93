package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

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

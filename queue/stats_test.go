package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Also where a single process adds and claims, which never reads what it wrote.
func TestRatesAreThoseOfTheLastSeconds(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		work := func() {
			for range 300 {
				w.push(q, "x")
				require.NoError(w, n.takeOne().Ack(w.Context()))
				time.Sleep(100 * time.Millisecond)
			}
			st := w.stats(w.queue())
			require.InDelta(w, 10, st.EnqueueRate, 0.5)
			require.InDelta(w, 10, st.ClaimRate, 0.5)
		}
		work()
		time.Sleep(time.Hour)
		work()
	})
}

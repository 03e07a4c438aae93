package queue_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

func TestReceiveCanBeAskedForAnyNumberOfJobs(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(10))
		got := make(chan int, 2)
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		for range 2 {
			go func() {
				ds, err := n.Receive(ctx, math.MaxInt)
				if err == nil {
					err = n.Ack(ctx, ds...)
				}
				if err != nil {
					w.Error(err)
				}
				got <- len(ds)
			}()
		}
		w.settle()
		w.push(q, numbered(3)...)
		require.Equal(w, 3, <-got)
		w.push(q, "x")
		require.Equal(w, 1, <-got)
	})
}

package queue_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// Only the oldest consumers watch the inbox. Workers that are being stopped keep
// their places as long as their handlers take.
func TestOutboxJobsComeAlsoWhileTheOldestConsumersAreBeingStopped(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		gate := make(chan struct{})
		release := sync.OnceFunc(func() { close(gate) })
		defer release()
		handler := func(ctx context.Context, _ *queue.Delivery[string]) error {
			<-gate
			return nil
		}
		ended := make(chan error, 3)
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		for range 3 {
			c := w.client()
			s := w.session(c)
			worker := queue.NewWorker(s, queue.New[string](c, name), handler, queue.WorkerConfig{Concurrency: 1, StopTimeout: -1})
			go func() { ended <- worker.Run(ctx) }()
		}
		w.push(q, "a", "b", "c")
		time.Sleep(time.Second)
		require.EqualValues(w, 3, w.stats(q).Claimed)
		n := w.node()
		stop()
		synctest.Wait()
		_, op, err := q.EnqueueOp("outbox")
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		patience, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		ds, err := n.Receive(patience, 1)
		require.NoError(w, err)
		require.NoError(w, ds[0].Ack(w.Context()))
		release()
		for range 3 {
			require.NoError(w, <-ended)
		}
		w.empty()
	})
}

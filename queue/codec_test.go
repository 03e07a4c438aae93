package queue_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// A handler may decrypt in place what it was given; what is tried again is the job
// as it was enqueued.
func TestBytesThatAHandlerChangesAreTriedAgainAsTheyWere(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		q := queue.New[[]byte](c, name)
		_, err := q.Enqueue(w.Context(), []byte("secret"), queue.Headers(map[string]string{"by": "me"}))
		require.NoError(w, err)
		n, err := q.Consumer(w.session(c))
		require.NoError(w, err)
		defer func() { require.NoError(w, n.Close(w.Context())) }()
		for range 2 {
			ds, err := n.Receive(w.Context(), 1)
			require.NoError(w, err)
			require.Equal(w, "secret", string(ds[0].Value))
			require.Equal(w, "me", ds[0].Headers["by"])
			copy(ds[0].Value, "plain!")
			ds[0].Headers["by"] = "you"
			require.NoError(w, ds[0].Nack(w.Context(), 0))
		}
	})
}

// What its caller has given up may still be put into the queue, in a batch that is
// made anew because of somebody else's job.
func TestBytesThatAProducerUsesAgainAreEnqueuedAsTheyWereOrNotAtAll(t *testing.T) {
	inBubble(t, func(w *world) {
		q := queue.New[[]byte](w.client(), name)
		_, err := q.Enqueue(w.Context(), []byte("first"), queue.Unique("k"))
		require.NoError(w, err)
		first, second := make(chan struct{}), make(chan struct{})
		held := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: first, Match: enqueues})
		next := w.srv.Inject(etcdtest.Fault{Path: txnPath, Skip: 1, Times: 1, Hold: second, Match: enqueues})
		errs := make(chan error, 3)
		enqueue := func(ctx context.Context, b []byte, opts ...queue.EnqueueOption) {
			_, err := q.Enqueue(ctx, b, opts...)
			errs <- err
		}
		go enqueue(w.Context(), []byte("leader"))
		require.NoError(w, held.Await(w.Context(), 1))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		buffer := bytes.Repeat([]byte("a"), 100)
		go enqueue(ctx, buffer)
		time.Sleep(time.Millisecond)
		go enqueue(w.Context(), []byte("double"), queue.Unique("k"))
		time.Sleep(time.Millisecond)
		close(first)
		require.NoError(w, <-errs)
		require.NoError(w, next.Await(w.Context(), 1))
		require.ErrorIs(w, <-errs, etcd.ErrUnknownOutcome)
		copy(buffer, "scribble")
		close(second)
		require.ErrorIs(w, <-errs, queue.ErrDuplicate)
		w.settle()
		var found bool
		for _, key := range w.srv.Keys(data + "jobs/") {
			kv, _ := w.srv.Get(key)
			require.NotContains(w, string(kv.Value), "scribble")
			found = found || bytes.Contains(kv.Value, []byte("aaaa"))
		}
		require.True(w, found, "it is put, as it may be")
	})
}

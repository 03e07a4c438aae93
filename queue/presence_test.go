package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// The first attempt to make the presence known has no answer, the second is
// answered, and the first arrives when the consumer is closed.
func TestAPresenceThatArrivesWhenItsConsumerIsClosedDoesNotStay(t *testing.T) {
	inBubbles(t, func(w *world) {
		w.push(w.queue(), "warm up")
		c := w.client()
		s := w.session(c)
		q := queue.New[string](c, name)
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Skip: 1, Late: late})
		n, err := q.Consumer(s)
		require.NoError(w, err)
		ds, err := n.Receive(w.Context(), 1)
		require.NoError(w, err)
		require.Equal(w, 1, in.Hits())
		require.NoError(w, ds[0].Ack(w.Context()))
		require.Len(w, w.srv.Keys(data+"c/consumer/"), 1)
		require.NoError(w, n.Close(w.Context()))
		require.Empty(w, w.srv.Keys(data+"c/consumer/"))
		close(late)
		w.settle()
		time.Sleep(time.Second)
		require.Empty(w, w.srv.Keys(data+"c/consumer/"), "a ghost that others wait for")
		require.NoError(w, s.Err())
	})
}

package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// Otherwise it would be a matter of chance whether the attempt counts, and a job that
// takes too long each time could come back for ever.
func TestWhatIsTooOldCannotBeReturnedAtNoAttempt(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a, b := w.queue(), w.node(queue.MaxClaimAge(time.Minute)), w.node()
		w.push(q, "x")
		d := a.takeOne()
		hold := make(chan struct{})
		taking := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "claim/" + a.ID() + "/00000001")
		}})
		<-d.Context().Done()
		require.NoError(w, taking.Await(w.Context(), 1))
		err := d.Return(w.Context())
		require.ErrorIs(w, err, queue.ErrClaimLost)
		require.ErrorIs(w, err, queue.ErrClaimAge)
		close(hold)
		again := b.takeOne()
		require.Equal(w, 2, again.Attempt)
		require.NoError(w, again.Ack(w.Context()))
		w.empty()
	})
}

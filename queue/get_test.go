package queue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// Whoever looks among the jobs that are ready first, and then among those that are
// claimed, misses it.
func TestAJobThatIsHandedBackWhileItIsLookedForIsFound(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		id := w.push(q, "x")[0]
		require.NoError(w, n.takeOne().Nack(w.Context(), 0), "from now on it has to be searched for")
		d := n.takeOne()
		hold := make(chan struct{})
		looking := w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "inbox/x") // the last of those that are ready
		}})
		found := make(chan error, 1)
		go func() {
			_, err := q.Get(w.Context(), id)
			found <- err
		}()
		require.NoError(w, looking.Await(w.Context(), 1))
		require.NoError(w, d.Return(w.Context()))
		close(hold)
		require.NoError(w, <-found)
	})
}

func TestGetLooksAnewWhereTheRevisionThatItReadsAtIsCompacted(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		id := w.push(q, "x")[0]
		require.NoError(w, n.takeOne().Nack(w.Context(), 0))
		w.settle()
		hold := make(chan struct{})
		looking := w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "jobs/0/0000000000000001")
		}})
		type answer struct {
			j   queue.Job
			err error
		}
		got := make(chan answer, 1)
		go func() {
			j, err := q.Get(w.Context(), id)
			got <- answer{j, err}
		}()
		require.NoError(w, looking.Await(w.Context(), 1))
		w.srv.Put("x", nil)
		w.srv.Compact(w.srv.Revision())
		close(hold)
		a := <-got
		require.NoError(w, a.err)
		require.Equal(w, queue.Ready, a.j.State)
	})
}

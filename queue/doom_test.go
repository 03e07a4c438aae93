package queue_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// What somebody has put at a position, and is as large as etcd takes it, cannot be
// made a dead letter, which holds more. It is not to keep others from being tried
// again: of suspects a process has one at a time.
func TestWhatIsTooLargeToBecomeADeadLetterHoldsNobodyUp(t *testing.T) {
	inBubble(t, func(w *world) {
		n := w.node()
		w.push(n.q, "a", "b", "c")
		key := data + "jobs/0/0000000000000000"
		w.srv.Put(key, bytes.Repeat([]byte("x"), 3<<19-400))
		n.take(2)
		for i := range 10 { // more often than a suspect is tried
			n.die()
			n = w.node()
			for range 2 {
				w.ackAll(n.within(time.Minute, 1))
			}
			w.push(n.q, fmt.Sprint("b", i), fmt.Sprint("c", i))
			n.take(2)
		}
		n.die()
		require.Len(w, w.srv.Keys(key), 1, "it stays where it is")
		require.Empty(w, w.list(n.q, queue.Dead))
	})
}

// Somebody deletes it by hand in the moment in which the consumer makes a dead letter
// of it.
func TestWhatIsDeletedBeforeItBecomesADeadLetterLeavesNoClaimBehind(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		w.push(n.q, "a", "b")
		key := data + "jobs/0/0000000000000000"
		w.srv.Put(key, []byte("somebody else's"))
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(key) && !r.Puts(data+"c/head")
		}})
		d := n.within(time.Minute, 1)
		require.NoError(w, in.Await(w.Context(), 1))
		w.srv.Delete(key)
		close(hold)
		w.ackAll(d)
		time.Sleep(5 * time.Second)
		require.Zero(w, w.stats(n.q).Claims)
		w.empty()
	})
}

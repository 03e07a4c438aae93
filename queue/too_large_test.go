package queue_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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

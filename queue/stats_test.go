package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
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

// What is read as of one revision may be compacted on the way; a later one is as good.
func TestACompactionOnTheWayIsNoErrorOfWhoeverLooks(t *testing.T) {
	for what, path := range map[string]string{"between the reads of the bookkeeping": "/v3/kv/range", "before the counts": txnPath} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(w *world) {
				q := w.queue()
				w.push(q, "a", "b")
				hold := make(chan struct{})
				in := w.srv.Inject(etcdtest.Fault{Path: path, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
					return r.Touches(data+"claim/x") && path != txnPath || path == txnPath && r.Touches(data+"dead/x")
				}})
				got := make(chan queue.Stats, 1)
				go func() {
					st, err := q.Stats(w.Context())
					if err != nil {
						w.Error(err)
					}
					got <- st
				}()
				require.NoError(w, in.Await(w.Context(), 1))
				require.NoError(w, w.srv.Compact(w.srv.Put("x", nil)))
				close(hold)
				require.EqualValues(w, 2, (<-got).Ready)
			})
		})
	}
}

package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// The reply to the removal is lost, and before it is repeated a consumer's claim
// passes over the positions that were emptied.
func TestAPurgeWhoseReplyWasLostCountsWhatItRemovedAlsoWhereTheHeadHasPassedIt(t *testing.T) {
	for _, applied := range []bool{false, true} {
		inBubble(t, func(w *world) {
			q, n := w.queue(), w.node()
			w.push(q, numbered(10)...)
			time.Sleep(time.Hour)
			w.push(q, "young")
			hold := make(chan struct{})
			f := etcdtest.Fault{Path: txnPath, Times: 1, Match: func(r *etcdtest.Request) bool {
				return r.Touches(data + "jobs/0/0000000000000000")
			}}
			if applied {
				f.HoldReply, f.LoseReply = hold, true
			} else {
				f.Hold, f.LoseRequest = hold, true
			}
			in := w.srv.Inject(f)
			purged, got := 0, make(chan error)
			go func() {
				var err error
				purged, err = q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Minute))
				got <- err
			}()
			require.NoError(w, in.Await(w.Context(), 1))
			w.settle()
			if applied {
				d := n.takeOne()
				require.Equal(w, "young", d.Value)
				w.ackAll([]*queue.Delivery[string]{d})
			} else {
				w.ackAll(n.take(4))
			}
			close(hold)
			require.NoError(w, <-got)
			require.Equal(w, map[bool]int{true: 10, false: 6}[applied], purged)
		})
	}
}

// The request is lost, and before it is repeated the jobs go elsewhere.
func TestAPurgeWhoseRequestWasLostDoesNotCountWhatWentElsewhereMeanwhile(t *testing.T) {
	for _, old := range []bool{false, true} { // by age, or all
		inBubble(t, func(w *world) {
			q := w.queue()
			require.NoError(w, q.Pause(w.Context(), "so that they stay"))
			var ids []string
			for range 3 {
				id, op, err := q.EnqueueOp("outbox")
				require.NoError(w, err)
				_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
				require.NoError(w, err)
				ids = append(ids, id)
			}
			time.Sleep(time.Hour)
			hold := make(chan struct{})
			in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, LoseRequest: true, Match: func(r *etcdtest.Request) bool {
				return r.Touches(data + "inbox/" + ids[0])
			}})
			purged, got := 0, make(chan error)
			go func() {
				var err error
				var which []queue.Selection
				if old {
					which = append(which, queue.OlderThan(time.Minute))
				}
				purged, err = q.Purge(w.Context(), queue.Ready, which...)
				got <- err
			}()
			require.NoError(w, in.Await(w.Context(), 1))
			w.settle()
			w.node()
			require.Empty(w, w.srv.Keys(data+"inbox/"))
			close(hold)
			require.NoError(w, <-got)
			require.EqualValues(w, 3-w.stats(q).Ready, purged)
			if old {
				require.Equal(w, 3, purged)
			}
		})
	}
}

func TestAPurgeOfDelayedJobsWhoseRequestWasLostDoesNotCountWhatBecameDueMeanwhile(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		id, err := q.Enqueue(w.Context(), "soon", queue.Delay(time.Second))
		require.NoError(w, err)
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, LoseRequest: true, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "at/" + id)
		}})
		purged, got := 0, make(chan error)
		go func() {
			var err error
			purged, err = q.Purge(w.Context(), queue.Delayed)
			got <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		d := n.takeOne()
		close(hold)
		require.NoError(w, <-got)
		require.Zero(w, purged)
		require.NoError(w, d.Ack(w.Context()))
	})
}

func TestAPurgeOfAllWhoseReplyWasLostCountsWhatWasHandedBack(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, numbered(5)...)
		require.NoError(w, n.Consumer.Return(w.Context(), n.take(5)...))
		free := w.srv.Keys(data + "c/free/")
		require.Len(w, free, 1)
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, LoseReply: true, Match: func(r *etcdtest.Request) bool {
			return r.Touches(free[0])
		}})
		purged, err := q.Purge(w.Context(), queue.Ready)
		require.NoError(w, err)
		require.Equal(w, 1, in.Hits())
		require.Equal(w, 5, purged)
		w.empty()
	})
}

package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func TestPurgingWhatIsOldCostsByThePageAndNotByTheJob(t *testing.T) {
	cost := func(jobs int) (n int) {
		inBubble(t, func(w *world) {
			q := w.queue()
			for left := jobs; left > 0; left -= 500 {
				w.push(q, numbered(min(left, 500))...)
			}
			time.Sleep(time.Hour)
			young := w.push(q, "young", "younger")
			n = w.requests(func() {
				purged, err := q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Minute))
				require.NoError(w, err)
				require.Equal(w, jobs, purged)
			})
			ready := w.list(q, queue.Ready)
			require.Len(w, ready, 2)
			require.Equal(w, young, []string{ready[0].ID, ready[1].ID})
		})
		return n
	}
	first, second, third := cost(600), cost(1200), cost(2400)
	require.Less(t, first, 600/10, "a request is for many jobs")
	require.LessOrEqual(t, third-second, 2*(second-first)+2, "as many again a page")
	require.Less(t, third, 2400/20)
}

func TestPurgingWhatIsOldFindsItWhereverItWaits(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, numbered(130)...)
		_, err := q.Enqueue(w.Context(), "high", queue.Priority(4), queue.Unique("k"))
		require.NoError(w, err)
		w.settle()
		ds := n.take(101)
		require.Equal(w, "high", ds[0].Value)
		require.NoError(w, n.Consumer.Return(w.Context(), ds[:61]...)) // records without an owner
		require.NoError(w, q.Pause(w.Context(), "so that they stay"))
		require.NoError(w, n.Close(w.Context()))
		for range 70 { // and nobody brings these into the log
			_, op, err := q.EnqueueOp("outbox")
			require.NoError(w, err)
			_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
		}
		time.Sleep(time.Hour)
		w.push(q, "young")
		before := w.stats(q).Ready
		purged, err := q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Minute))
		require.NoError(w, err)
		require.EqualValues(w, before-1, purged)
		st := w.stats(q)
		require.EqualValues(w, 1, st.Ready)
		_, err = q.Enqueue(w.Context(), "high", queue.Unique("k"))
		require.NoError(w, err, "the unique key is free")
	})
}

func TestPurgingTheInboxCostsByThePage(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		for range 5 {
			var ops []etcd.Op
			for range 100 {
				_, op, err := q.EnqueueOp("outbox")
				require.NoError(w, err)
				ops = append(ops, op)
			}
			_, err := q.Client().Txn(w.Context(), etcd.Txn{Then: ops})
			require.NoError(w, err)
		}
		require.Less(w, w.requests(func() {
			purged, err := q.Purge(w.Context(), queue.Ready)
			require.NoError(w, err)
			require.Equal(w, 500, purged)
		}), 30)
		w.empty()
	})
}

// While the consumers claim one job after the other the head moves all the time.
func TestPurgingWhatIsOldGetsThroughInAQueueThatIsBusy(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.busy()
		start := time.Now()
		purged, err := q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Second/2))
		require.NoError(w, err)
		require.Greater(w, purged, 3000)
		require.Less(w, time.Since(start), 3*time.Second)
		w.settle()
		require.Zero(w, w.stats(q).Ready)
	})
}

// A job that a consumer claims while it is being purged is the consumer's.
func TestAPurgeOfWhatIsOldThatAClaimOvertakesRemovesNothingThatIsClaimed(t *testing.T) {
	for _, free := range []bool{false, true} {
		inBubble(t, func(w *world) {
			q, n := w.queue(), w.node()
			w.push(q, numbered(10)...)
			if free {
				require.NoError(w, n.Consumer.Return(w.Context(), n.take(10)...))
			}
			time.Sleep(time.Hour)
			var ds []*queue.Delivery[string]
			err := w.lateRemoval("jobs/0/0000000000000000", func() error {
				purged, err := q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Minute))
				require.Equal(w, 6, purged)
				return err
			}, func() { ds = n.take(4) })
			require.NoError(w, err)
			for _, d := range ds {
				require.NoError(w, d.Err())
			}
			w.ackAll(ds)
			n.none(time.Second) // which clears the record away that held the others
			w.empty()
		})
	}
}

// What EnqueueOp has put beside the queue is brought into it while it is purged.
func TestPurgingWhatIsOldFollowsWhatIsBroughtIntoTheLogMeanwhile(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "first")
		var ids []string
		for range 3 {
			id, op, err := q.EnqueueOp("outbox")
			require.NoError(w, err)
			_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
			ids = append(ids, id)
		}
		time.Sleep(time.Hour)
		require.NoError(w, q.Pause(w.Context(), "so that they stay"))
		err := w.lateRemoval("inbox/"+ids[0], func() error {
			purged, err := q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Minute))
			require.Equal(w, 4, purged)
			return err
		}, func() {
			w.node()
			require.Empty(w, w.srv.Keys(data+"inbox/"))
		})
		require.NoError(w, err)
		require.Zero(w, w.stats(q).Ready)
	})
}

func TestAPurgeOfWhatIsOldWhoseReplyWasLostCountsWhatItRemoved(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, numbered(100)...)
		time.Sleep(time.Hour)
		w.srv.SetNoSpace(true) // it only deletes
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, LoseReply: true, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data + "jobs/0/0000000000000000")
		}})
		purged, err := q.Purge(w.Context(), queue.Ready, queue.OlderThan(time.Minute))
		require.NoError(w, err)
		require.Equal(w, 1, in.Hits())
		require.Equal(w, 100, purged)
		w.empty()
	})
}

package queue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// removals tells how many jobs of the log the commits since a revision removed,
// the one that removed most.
func (w *world) removals(since int64) (most int) {
	of := map[int64]int{}
	for _, e := range w.srv.Events() {
		if e.Revision > since && e.Deleted && strings.HasPrefix(e.KV.Key, data+"jobs/") {
			of[e.Revision]++
			most = max(most, of[e.Revision])
		}
	}
	return most
}

// One commit of a hundred thousand deletions keeps etcd's watches busy for
// minutes.
func TestNoCommitRemovesMoreThanAThousandJobs(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(10_000))
		w.push(q, numbered(2500)...)
		w.push(q, numbered(2500)...)
		ds := n.take(5000)
		require.GreaterOrEqual(w, w.stats(q).Claims, 5, "a claim has a thousand at most")
		before := w.srv.Revision()
		require.NoError(w, n.Ack(w.Context(), ds...))
		w.settle()
		require.LessOrEqual(w, w.removals(before), 1000)

		require.NoError(w, n.Close(w.Context()))
		w.push(q, numbered(2500)...)
		w.push(q, numbered(2500)...)
		before = w.srv.Revision()
		purged, err := q.Purge(w.Context(), queue.Ready)
		require.NoError(w, err)
		require.Equal(w, 5000, purged)
		require.LessOrEqual(w, w.removals(before), 1000)
		w.empty()
	})
}

// What was due and is gone stands in the way of whoever looks there again, until
// the next compaction.
func TestWhatIsDueIsNotLookedForWhereItWasLookedForBefore(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		deliver := func() {
			w.Helper()
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Minute))
			require.NoError(w, err)
			require.NoError(w, n.takeOne().Ack(w.Context()))
			w.settle()
		}
		deliver()
		old := data + "later/" + fmt.Sprintf("%016x", time.Now().Add(-30*time.Second).UnixMilli()) + "-t-1"
		looks := w.srv.Inject(etcdtest.Fault{Match: func(r *etcdtest.Request) bool { return r.Touches(old) }})
		for range 3 {
			deliver()
		}
		require.Zero(w, looks.Hits())
	})
}

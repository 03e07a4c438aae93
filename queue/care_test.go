package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

func TestADeadLetterKeepsReasonAttemptsAndLastErrorAndCanBeRedriven(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		ids := w.push(q, "a", "b", "c")
		d := n.takeOne()
		require.NoError(w, d.Nack(w.Context(), 0))
		for range 3 {
			d := n.takeOne()
			require.NoError(w, d.Dead(w.Context(), "no use", queue.Because(errors.New("boom"))))
			require.NoError(w, d.Dead(w.Context(), "no use"), "Dead is idempotent")
			time.Sleep(time.Minute)
		}
		dead := w.list(q, queue.Dead)
		require.Len(w, dead, 3)
		j := dead[2]
		require.Equal(w, ids[0], j.ID)
		require.Equal(w, "no use", j.Reason)
		require.Equal(w, "boom", j.LastError)
		require.Equal(w, "handler", j.DiedBy)
		require.Equal(w, 2, j.Attempt)
		got, err := q.Get(w.Context(), ids[0])
		require.NoError(w, err)
		require.Equal(w, queue.Dead, got.State)

		redriven, err := q.Redrive(w.Context(), queue.OlderThan(90*time.Second))
		require.NoError(w, err)
		require.Equal(w, 2, redriven)
		redriven, err = q.Redrive(w.Context(), queue.ByID(ids[0], "t-1-unknown"))
		require.NoError(w, err)
		require.Equal(w, 1, redriven)
		for range 3 {
			d := n.takeOne()
			require.Contains(w, ids, d.ID)
			require.Equal(w, 1, d.Attempt)
			require.NoError(w, d.Ack(w.Context()))
		}
		w.empty()
	})
}

func TestDeadLettersArePurgedByIdByAgeAndByRetention(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		ids := w.push(q, numbered(4)...)
		for range 4 {
			require.NoError(w, n.takeOne().Dead(w.Context(), "x"))
			time.Sleep(time.Hour)
		}
		purged, err := q.Purge(w.Context(), queue.Dead, queue.ByID(ids[3]))
		require.NoError(w, err)
		require.Equal(w, 1, purged)
		purged, err = q.Purge(w.Context(), queue.Dead, queue.OlderThan(210*time.Minute))
		require.NoError(w, err)
		require.Equal(w, 1, purged)
		require.EqualValues(w, 2, w.stats(q).Dead)
		keeper := queue.New[string](w.client(), name, queue.WithRetention(time.Hour))
		c, err := keeper.Consumer(n.s)
		require.NoError(w, err)
		require.NoError(w, n.Close(w.Context()))
		time.Sleep(2 * time.Minute)
		w.empty()
		require.NoError(w, c.Close(w.Context()))
	})
}

func TestPurgeOfReadyJobsLeavesNothingBehind(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, numbered(2600)...)
		for i := range 90 {
			_, err := q.Enqueue(w.Context(), "u", queue.Unique(numbered(90)[i]), queue.Priority(3))
			require.NoError(w, err)
		}
		_, op, err := q.EnqueueOp("in the inbox", queue.Unique("inbox"))
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		purged, err := q.Purge(w.Context(), queue.Ready)
		require.NoError(w, err)
		require.Equal(w, 2691, purged)
		w.empty()
		w.push(q, "after")
		n := w.node()
		d := n.takeOne()
		require.Equal(w, "after", d.Value)
		_, err = q.Purge(w.Context(), queue.Claimed)
		require.Error(w, err)
		purged, err = q.Purge(w.Context(), queue.Ready)
		require.NoError(w, err)
		require.Zero(w, purged, "claimed jobs are left alone")
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

func TestPurgeOfSelectedReadyAndDelayedJobs(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "old 1", "old 2")
		_, err := q.Enqueue(w.Context(), "old delayed", queue.Delay(time.Hour), queue.Unique("d"))
		require.NoError(w, err)
		time.Sleep(10 * time.Minute)
		w.push(q, "new")
		_, err = q.Enqueue(w.Context(), "new delayed", queue.Delay(time.Hour))
		require.NoError(w, err)
		for _, s := range []queue.State{queue.Ready, queue.Delayed} {
			purged, err := q.Purge(w.Context(), s, queue.OlderThan(5*time.Minute))
			require.NoError(w, err)
			require.Equal(w, map[queue.State]int{queue.Ready: 2, queue.Delayed: 1}[s], purged)
		}
		_, err = q.Enqueue(w.Context(), "again", queue.Delay(time.Hour), queue.Unique("d"))
		require.NoError(w, err, "the key was freed")
		require.Equal(w, "new", w.node().takeOne().Value)
	})
}

func TestCancelRemovesAJobUnlessItIsClaimed(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		ids := w.push(q, "a", "b", "c")
		unique, err := q.Enqueue(w.Context(), "u", queue.Unique("k"))
		require.NoError(w, err)
		delayed, err := q.Enqueue(w.Context(), "d", queue.Delay(time.Hour))
		require.NoError(w, err)
		inbox, op, err := q.EnqueueOp("i")
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		for _, id := range []string{ids[1], unique, delayed, inbox} {
			require.NoError(w, q.Cancel(w.Context(), id))
			require.ErrorIs(w, q.Cancel(w.Context(), id), queue.ErrNotFound)
		}
		_, err = q.Enqueue(w.Context(), "u", queue.Unique("k"))
		require.NoError(w, err)
		n := w.node()
		ds := n.take(2)
		require.Equal(w, []string{"a", "c"}, values(ds))
		require.ErrorIs(w, q.Cancel(w.Context(), ids[0]), queue.ErrClaimed)
		require.NoError(w, ds[0].Return(w.Context()))
		require.NoError(w, q.Cancel(w.Context(), ids[0]), "given back, so not claimed")
		require.NoError(w, ds[1].Dead(w.Context(), "x"))
		require.NoError(w, q.Cancel(w.Context(), ids[2]), "a dead letter")
		require.NoError(w, n.takeOne().Ack(w.Context()))
		w.empty()
	})
}

func TestNothingIsClaimedWhileTheQueueIsPaused(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "a")
		d := n.takeOne()
		require.NoError(w, q.Pause(w.Context(), "repairs"))
		st := w.stats(q)
		require.True(w, st.Paused)
		require.Equal(w, "repairs", st.PauseReason)
		w.push(q, "b")
		require.NoError(w, d.Ack(w.Context()), "what is claimed is finished")
		n.none(time.Hour)
		w.node().none(time.Hour)
		got := make(chan string)
		go func() { got <- n.takeOne().Value }()
		w.settle()
		require.NoError(w, q.Resume(w.Context()))
		require.Equal(w, "b", <-got)
		require.False(w, w.stats(q).Paused)
	})
}

func TestStatsCountEveryStateAndListShowsIt(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Note("rack 7"))
		w.push(q, numbered(10)...)
		time.Sleep(time.Minute)
		_, err := q.Enqueue(w.Context(), "high", queue.Priority(9))
		require.NoError(w, err)
		_, err = q.Enqueue(w.Context(), "delayed", queue.Delay(time.Hour))
		require.NoError(w, err)
		_, op, err := q.EnqueueOp("inbox")
		require.NoError(w, err)
		w.settle() // the consumer knows of all of them
		ds := n.take(4)
		require.Equal(w, "high", ds[0].Value)
		require.NoError(w, ds[0].Dead(w.Context(), "x"))
		require.NoError(w, ds[1].Ack(w.Context()))
		require.NoError(w, n.Close(w.Context())) // so that the inbox stays, and the rest is taken over later
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		st := w.stats(q)
		require.EqualValues(w, 8, st.Ready)
		require.EqualValues(w, 2, st.Claimed)
		require.EqualValues(w, 1, st.Delayed)
		require.EqualValues(w, 1, st.Dead)
		require.EqualValues(w, 1, st.Inbox)
		require.EqualValues(w, 7, st.ByPriority[0])
		require.Equal(w, 1, st.Claims)
		require.Zero(w, st.Consumers)
		require.False(w, st.Estimated)
		require.Equal(w, time.Minute, st.OldestReady.Truncate(time.Second))
		require.Positive(w, st.EnqueueRate)

		var ready []string
		for j := range q.List(w.Context(), queue.Ready) {
			v, err := q.Decode(j)
			require.NoError(w, err)
			ready = append(ready, v)
		}
		require.Equal(w, append(numbered(10)[3:], "inbox"), ready)
		claimed := w.list(q, queue.Claimed)
		require.Len(w, claimed, 2)
		require.Equal(w, n.ID(), claimed[0].Consumer)
		require.Equal(w, 1, claimed[0].Attempt)
		require.False(w, claimed[0].ClaimedSince.IsZero())
		require.Len(w, w.list(q, queue.Delayed), 1)
		require.Len(w, w.list(q, queue.Dead), 1)
		for _, err := range q.List(w.Context(), 0) {
			require.Error(w, err)
		}
	})
}

func TestConsumersTellWhoTheyAre(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Note("rack 7"))
		w.push(q, "a")
		n.takeOne()
		cs, err := q.Consumers(w.Context())
		require.NoError(w, err)
		require.Len(w, cs, 1)
		require.Equal(w, n.ID(), cs[0].ID)
		require.Equal(w, "rack 7", cs[0].Note)
		require.NotZero(w, cs[0].PID)
		require.Equal(w, 1, cs[0].Claims)
		require.EqualValues(w, 1, cs[0].Jobs)
	})
}

func TestAJobIsFoundByItsIdWhereverItIs(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		id := w.push(q, "x", "y")[0]
		state := func() queue.Job {
			w.Helper()
			j, err := q.Get(w.Context(), id)
			require.NoError(w, err)
			return j
		}
		require.Equal(w, queue.Ready, state().State)
		d := n.takeOne()
		require.Equal(w, queue.Claimed, state().State)
		require.Equal(w, n.ID(), state().Consumer)
		require.NoError(w, d.Nack(w.Context(), time.Minute))
		require.Equal(w, queue.Delayed, state().State)
		time.Sleep(2 * time.Minute)
		require.Equal(w, queue.Ready, state().State, "at another position")
		require.Equal(w, 1, state().Attempt)
		require.NoError(w, n.takeOne().Ack(w.Context()))
		d = n.takeOne()
		require.Equal(w, queue.Claimed, state().State)
		require.NoError(w, d.Ack(w.Context()))
		_, err := q.Get(w.Context(), id)
		require.ErrorIs(w, err, queue.ErrNotFound)
	})
}

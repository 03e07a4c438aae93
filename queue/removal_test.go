package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// lateRemoval holds the transaction up that deletes a job, until meanwhile is
// done.
func (w *world) lateRemoval(key string, remove func() error, meanwhile func()) error {
	w.Helper()
	late := make(chan struct{})
	in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool {
		return r.Touches(data+key) && !r.Puts(data+"c/head") && len(r.Body) > 2
	}})
	got := make(chan error, 1)
	go func() { got <- remove() }()
	require.NoError(w, in.Await(w.Context(), 1))
	w.settle()
	in.Remove()
	meanwhile()
	close(late)
	return <-got
}

func TestACancellationThatAClaimOvertakesRemovesNothing(t *testing.T) {
	for _, free := range []bool{false, true} {
		inBubble(t, func(w *world) {
			q, n := w.queue(), w.node()
			ids := w.push(q, "x", "y")
			if free {
				require.NoError(w, n.takeOne().Return(w.Context()))
			}
			var d *queue.Delivery[string]
			err := w.lateRemoval("jobs/0/0000000000000000", func() error { return q.Cancel(w.Context(), ids[0]) }, func() { d = n.takeOne() })
			require.ErrorIs(w, err, queue.ErrClaimed)
			require.Equal(w, ids[0], d.ID)
			_, there := w.srv.Get(data + "jobs/0/0000000000000000")
			require.True(w, there)
			require.NoError(w, d.Ack(w.Context()))
			w.audit()
		})
	}
}

func TestACancellationOfADelayedJobThatAPromotionOvertakesFindsItsNewPlace(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "first")
		d := n.takeOne()
		require.NoError(w, d.Nack(w.Context(), time.Second))
		at, ok := w.srv.Get(data + "at/" + d.ID)
		require.True(w, ok)
		key := string(at.Value)[len(data):]
		err := w.lateRemoval(key, func() error { return q.Cancel(w.Context(), d.ID) }, func() {
			ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
			defer cancel()
			ds, err := n.Receive(ctx, 1)
			require.NoError(w, err)
			require.NoError(w, ds[0].Return(w.Context()))
		})
		require.NoError(w, err)
		w.audit(d.ID)
		n.none(time.Second) // which clears the record away that held it
		w.empty()
	})
}

func TestAFullPurgeThatAClaimOvertakesRemovesNothingThatIsClaimed(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, numbered(10)...)
		w.srv.SetNoSpace(true)
		var ds []*queue.Delivery[string]
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Skip: 1, Late: late, Match: func(r *etcdtest.Request) bool {
			return r.Touches(data+"jobs/0/0000000000000000") || r.Puts(data+"c/head")
		}})
		got := make(chan int, 1)
		go func() {
			k, err := q.Purge(w.Context(), queue.Ready)
			if err != nil {
				panic(err)
			}
			got <- k
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		w.srv.SetNoSpace(false)
		ds = n.take(4)
		close(late)
		require.Equal(w, 6, <-got)
		for _, d := range ds {
			require.NoError(w, d.Err())
		}
		w.ackAll(ds)
		w.empty()
	})
}

// busy has consumers claim and acknowledge jobs all the time, of which there are
// always enough, one by one; every request takes a moment. It gives the queue.
func (w *world) busy() *queue.Queue[string] {
	w.Helper()
	q := w.queue()
	for range 3 {
		w.push(q, make([]string, 2500)...)
	}
	w.srv.Inject(etcdtest.Fault{Delay: time.Millisecond / 2, DelayReply: time.Millisecond / 2})
	for range 4 {
		n := w.node()
		go func() {
			for {
				ds, err := n.Receive(w.Context(), 1)
				if err != nil {
					return
				}
				_ = n.Ack(w.Context(), ds...)
			}
		}()
	}
	time.Sleep(time.Second)
	return q
}

func TestACancellationGetsThroughInAQueueThatIsBusy(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.busy()
		ids := w.push(q, numbered(10)...)
		for _, id := range ids {
			start := time.Now()
			require.NoError(w, q.Cancel(w.Context(), id))
			require.Less(w, time.Since(start), time.Second)
		}
		w.audit(ids...)
	})
}

func TestAPurgeGetsThroughInAQueueThatIsBusy(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.busy()
		producing, stop := context.WithCancel(w.Context())
		defer stop()
		for range 2 {
			other := w.queue()
			go func() {
				for producing.Err() == nil {
					_, _ = other.Enqueue(producing, "more")
				}
			}()
		}
		time.Sleep(time.Second)
		start := time.Now()
		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
		defer cancel()
		n, err := q.Purge(ctx, queue.Ready)
		require.NoError(w, err)
		require.Greater(w, n, 3000)
		require.Less(w, time.Since(start), 2*time.Second)
	})
}

func TestAPurgeThatDiesInBetweenIsFinishedByTheConsumers(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.node()
		require.NoError(w, q.Pause(w.Context(), "so that they stay"))
		w.push(q, numbered(1200)...)
		_, err := q.Enqueue(w.Context(), "u", queue.Unique("k"))
		require.NoError(w, err)
		hold := make(chan struct{})
		defer close(hold)
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Skip: 1, Hold: hold, Match: func(r *etcdtest.Request) bool {
			return !r.Puts(data+"c/head") && (r.Touches(data+"jobs/0/0000000000000000") || r.Touches(data+"jobs/0/0000000000000300"))
		}})
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		go func() {
			if in.Await(ctx, 1) == nil {
				cancel()
			}
		}()
		_, err = q.Purge(ctx, queue.Ready)
		require.ErrorIs(w, err, context.Canceled)
		require.NotEmpty(w, w.srv.Keys(data+"jobs/"))
		require.Zero(w, w.stats(q).Ready)
		time.Sleep(2 * time.Minute)
		require.NoError(w, q.Resume(w.Context()))
		w.empty()
		_, err = q.Enqueue(w.Context(), "u", queue.Unique("k"))
		require.NoError(w, err)
	})
}

// A job that was taken out of the line, and is only not removed yet, is gone for
// everybody: a Cancel would otherwise look at it again and again.
func TestAJobThatAPurgeWhichDiedHasTakenOutOfTheLineIsGone(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		id := w.push(q, "x", "y")[0]
		ctx, cancel := context.WithCancel(w.Context())
		purging := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, LoseRequest: true, Match: func(r *etcdtest.Request) bool {
			if !r.Touches(data + "jobs/0/0000000000000000") {
				return false
			}
			cancel()
			return true
		}})
		_, err := q.Purge(ctx, queue.Ready)
		require.ErrorIs(w, err, context.Canceled)
		require.Equal(w, 1, purging.Hits())
		require.Len(w, w.srv.Keys(data+"jobs/"), 2)

		short, done := context.WithTimeout(w.Context(), time.Minute)
		defer done()
		_, err = q.Get(short, id)
		require.ErrorIs(w, err, queue.ErrNotFound)
		require.ErrorIs(w, q.Cancel(short, id), queue.ErrNotFound)
		require.Zero(w, w.stats(q).Ready)
	})
}

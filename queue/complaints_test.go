package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

// What users of other queues complain about and has no test of its own
// elsewhere here.

func TestAConsumerThatWaitsDoesNotPoll(t *testing.T) {
	inBubble(t, func(w *world) {
		n := w.node()
		w.push(n.q, "x")
		require.NoError(w, n.takeOne().Ack(w.Context()))
		go func() { _, _ = n.Receive(w.Context(), 10) }()
		w.settle()
		sent := w.requests(func() { time.Sleep(time.Hour) })
		require.LessOrEqual(w, sent, 2*60, "two reads a minute, for all consumers together")
		require.Zero(w, w.txns(func() { time.Sleep(time.Hour) }))
	})
}

func TestNoWakeUpIsLostWheneverTheJobComes(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		for i := range 100 {
			c := w.client()
			n := w.nodeOf(c, w.session(c))
			var pushing sync.WaitGroup
			pushing.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond / 10)
				w.push(q, "x")
			})
			start := time.Now()
			d := n.takeOne()
			require.Less(w, time.Since(start), time.Second)
			require.NoError(w, d.Ack(w.Context()))
			pushing.Wait() // its reply may come after the job
			require.NoError(w, n.Close(w.Context()))
			require.NoError(w, n.s.Close(w.Context()))
		}
	})
}

func TestALongBacklogCostsWhatAShortOneDoes(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		const total, portion = 100_000 / stride, 1000
		for range total / 2500 {
			w.push(q, make([]string, 2500)...)
		}
		st := w.stats(q)
		require.EqualValues(w, total, st.Ready)
		require.Equal(w, total > 50_000, st.Estimated)
		cost := func() int {
			return w.txns(func() {
				ds := n.take(portion)
				require.NoError(w, n.Ack(w.Context(), ds...))
				w.settle()
			})
		}
		first := cost()
		for left := total - 2*portion; left > 0; left -= portion {
			require.LessOrEqual(w, cost(), first+1)
		}
		require.LessOrEqual(w, cost(), first+1)
		require.LessOrEqual(w, first, 4)
		w.empty()
	})
}

func TestAttemptsAreCountedRightThroughFailuresCrashesAndReturns(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "x")
		attempt := 1
		for i := range 8 {
			n := w.node()
			d := n.takeOne()
			require.Equal(w, attempt, d.Attempt)
			switch i % 4 {
			case 0:
				require.NoError(w, d.Nack(w.Context(), time.Second))
				attempt++
			case 1:
				require.NoError(w, d.Return(w.Context()))
			case 2:
				n.die()
				attempt++
			case 3:
				require.NoError(w, d.Nack(w.Context(), 0, queue.WithoutAttempt()))
			}
			if i%4 != 2 {
				require.NoError(w, n.Close(w.Context()))
			}
		}
	})
}

func TestAShutdownWithManyJobsAtHandIsQuickAndCostsNoAttempt(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(5000))
		w.push(q, numbered(3000)...)
		n.takeOne()
		w.settle()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.LessOrEqual(w, w.txns(func() { require.NoError(w, n.Close(ctx)) }), 10)
		require.EqualValues(w, 2999, w.stats(q).Ready)
		for j := range q.List(w.Context(), queue.Ready) {
			require.Zero(w, j.Attempt)
			break
		}
	})
}

func TestALongHoleIsJumpedHoweverFewJobsAreAskedFor(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, make([]string, 2000)...)
		w.push(q, "in the middle")
		w.push(q, make([]string, 2000)...)
		for i, key := range w.srv.Keys(data + "jobs/") { // as if they were cancelled
			if i != 2000 {
				w.srv.Delete(key)
			}
		}
		n := w.node()
		require.LessOrEqual(w, w.requests(func() {
			d := n.takeOne()
			require.Equal(w, "in the middle", d.Value)
			require.NoError(w, d.Ack(w.Context()))
			n.none(time.Second)
		}), 15)
		w.push(q, "behind")
		d := n.takeOne()
		require.Equal(w, "behind", d.Value)
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

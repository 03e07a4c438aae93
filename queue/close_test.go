package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func is(err, target error) bool { return errors.Is(err, target) }

func TestCloseHandsUnstartedJobsBackAtNoAttemptAndBeforeTheHead(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node(queue.Prefetch(10))
		w.push(q, numbered(10)...)
		d := a.takeOne()
		w.settle()
		w.push(q, "behind")
		before := w.srv.Revision()
		require.NoError(w, d.Ack(w.Context()))
		require.NoError(w, a.Close(w.Context()))
		require.NoError(w, a.Close(w.Context()), "Close is idempotent")
		for _, e := range w.srv.Events() {
			if e.Revision > before && !e.Deleted {
				require.NotContains(w, e.KV.Key, "/jobs/", "payloads are not written again")
			}
		}
		_, err := a.Receive(w.Context(), 1)
		require.ErrorIs(w, err, queue.ErrConsumerClosed)
		b := w.node()
		ds := b.take(10)
		require.Equal(w, append(numbered(10)[1:], "behind"), values(ds))
		for _, d := range ds {
			require.Equal(w, 1, d.Attempt)
			require.False(w, d.Suspect)
			require.NoError(w, d.Ack(w.Context()))
		}
		w.empty()
		require.Len(w, w.srv.Keys(data+"c/consumer/"), 1)
	})
}

func TestReturnedDeliveriesGoToOthersWhileTheirNeighboursStay(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, numbered(6)...)
		ds := a.take(6)
		guard := ds[0].Guard()
		require.NoError(w, a.Return(w.Context(), ds[1], ds[2], ds[4]))
		require.NoError(w, ds[1].Return(w.Context()), "Return is idempotent")
		require.ErrorIs(w, ds[1].Ack(w.Context()), queue.ErrSettled)
		res, err := q.Client().Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{guard}})
		require.NoError(w, err)
		require.True(w, res.Succeeded, "the guards of what was kept hold on")
		b := w.node()
		got := b.take(3)
		require.Equal(w, []string{"job 1", "job 2", "job 4"}, values(got))
		require.Equal(w, 1, got[0].Attempt)
		w.ackAll(got)
		w.ackAll([]*queue.Delivery[string]{ds[0], ds[3], ds[5]})
		w.empty()
	})
}

func TestWhatWasStartedAndNotSettledAtCloseIsTakenOver(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x")
		d := a.takeOne()
		require.NoError(w, a.Close(w.Context()))
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrConsumerClosed)
		again := b.takeOne()
		require.Equal(w, 2, again.Attempt)
		require.ErrorIs(w, d.Ack(w.Context()), queue.ErrClaimLost)
		require.NoError(w, again.Ack(w.Context()))
		w.empty()
	})
}

func TestCloseDoesNotHangOnAnEtcdThatIsGone(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node(queue.Prefetch(5))
		w.push(q, numbered(3)...)
		w.settle()
		w.srv.Pause(0)
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(w, a.Close(ctx), context.DeadlineExceeded)
		require.LessOrEqual(w, time.Since(start), 2*time.Second+100*time.Millisecond)
		w.srv.Resume(0)
		time.Sleep(time.Minute)
		b := w.node()
		w.ackAll(b.take(1))
		w.ackAll(b.take(1))
		w.ackAll(b.take(1))
		w.empty()
	})
}

func TestAConsumerThatIsClosedBeforeItBeganLeavesNothing(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		s := w.session(c)
		n, err := queue.New[string](c, name).Consumer(s)
		require.NoError(w, err)
		require.NoError(w, n.Close(w.Context()))
		time.Sleep(time.Minute)
		require.Empty(w, w.srv.Keys(data+"c/consumer/"))
	})
}

func TestAReceiveThatWaitsEndsWithClose(t *testing.T) {
	inBubbles(t, func(w *world) {
		a := w.node()
		got := make(chan error)
		go func() {
			_, err := a.Receive(w.Context(), 1)
			got <- err
		}()
		w.settle()
		require.NoError(w, a.Close(w.Context()))
		require.ErrorIs(w, <-got, queue.ErrConsumerClosed)
	})
}

// Whose context has ended, by a signal for instance, calls Close to end the
// consumer all the same; it is only not waited for.
func TestCloseEndsTheConsumerAlsoWhereItsContextHasEnded(t *testing.T) {
	for range 20 { // either of two ways would do by chance
		inBubble(t, func(w *world) {
			q, a, b := w.queue(), w.node(), w.node()
			w.push(q, "x")
			d := a.takeOne()
			ctx, cancel := context.WithCancel(w.Context())
			cancel()
			require.ErrorIs(w, a.Close(ctx), context.Canceled)
			require.ErrorIs(w, a.Err(), queue.ErrConsumerClosed)
			require.ErrorIs(w, context.Cause(d.Context()), queue.ErrConsumerClosed)
			start := time.Now()
			require.NoError(w, b.takeOne().Ack(w.Context()))
			require.Less(w, time.Since(start), time.Second)
			require.NoError(w, a.Close(w.Context()))
		})
	}
}

// Its presence would keep the others from taking its claims for as long as the
// session lives, which others may use.
func TestTheClaimsOfAConsumerThatEndedByItselfAreTakenOver(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x")
		d := a.takeOne()
		w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1,
			Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"},
			Match:  func(r *etcdtest.Request) bool { return r.Puts(data + "claim/" + a.ID() + "/00000002") },
		})
		go func() {
			w.settle()
			w.push(q, "y")
		}()
		_, err := a.Receive(w.Context(), 1)
		require.ErrorIs(w, err, etcd.ErrPermissionDenied)
		require.ErrorIs(w, context.Cause(d.Context()), etcd.ErrPermissionDenied)
		require.NoError(w, a.s.Err())
		start := time.Now()
		w.ackAll(b.take(2))
		require.Less(w, time.Since(start), 5*time.Second)
		w.empty()
	})
}

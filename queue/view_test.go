package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// What a consumer knows comes over watches and in answers, and one may be late.

// claimsOf matches the claims of a consumer, made or tried.
func claimsOf(n *node) func(*etcdtest.Request) bool {
	return func(r *etcdtest.Request) bool { return r.Puts(data + "claim/" + n.ID() + "/00000001") }
}

// The watch tells that a claim was made and taken away before its answer comes.
func TestAClaimThatIsTakenAwayBeforeItsAnswerArrivesIsKnownToBeLost(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold, Match: claimsOf(n)})
		got := make(chan []*queue.Delivery[string], 10)
		go func() {
			for {
				ds, err := n.Receive(w.Context(), 1)
				if err != nil {
					return
				}
				got <- ds
			}
		}()
		w.push(q, "x")
		require.NoError(w, in.Await(w.Context(), 1))
		w.settle()
		taken, err := q.Reclaim(w.Context(), n.ID())
		require.NoError(w, err)
		require.Equal(w, 1, taken)
		other := w.node()
		d := other.takeOne()
		close(hold)
		w.settle()
		select {
		case ds := <-got: // then it must be told
			require.ErrorIs(w, context.Cause(ds[0].Context()), queue.ErrClaimLost)
		default:
		}
		require.NoError(w, d.Ack(w.Context()))
		require.NoError(w, n.Err())
		w.audit()
		w.empty()
	})
}

// A claim that is refused because the queue is paused says nothing of the record
// that it was to be made from.
func TestWhatWasGivenBackIsClaimedAfterAPauseThatTheConsumerHadNotHeardOf(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, n := w.queue(), w.node(), w.node()
		w.push(q, "x")
		d := a.takeOne()
		require.NoError(w, d.Return(w.Context()))
		require.NoError(w, a.Close(w.Context()))
		w.settle()
		w.srv.StallWatches()
		require.NoError(w, q.Pause(w.Context(), "x"))
		n.none(time.Second)
		w.srv.ResumeWatches()
		require.NoError(w, q.Resume(w.Context()))
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		ds, err := n.Receive(ctx, 1)
		require.NoError(w, err)
		require.NoError(w, ds[0].Ack(w.Context()))
		w.empty()
	})
}

// The answer of a claim that found the queue paused comes when the watch has
// been started again, and has shown that it is not.
func TestALateAnswerThatTheQueueIsPausedDoesNotOutliveThePause(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.srv.StallWatches()
		require.NoError(w, q.Pause(w.Context(), "x"))
		w.push(n.q, "x") // of which its own process knows
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold, Match: claimsOf(n)})
		got := make(chan error, 1)
		go func() { got <- n.takeOne().Ack(w.Context()) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.settle()
		require.NoError(w, q.Resume(w.Context()))
		require.NoError(w, w.srv.Compact(w.srv.Revision()))
		w.srv.DropWatches()
		w.srv.ResumeWatches()
		time.Sleep(time.Second)
		close(hold)
		select {
		case err := <-got:
			require.NoError(w, err)
		case <-time.After(time.Minute):
			t.Fatal("nothing is claimed any more")
		}
		w.empty()
	})
}

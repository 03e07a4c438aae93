package queue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// Due times are told in milliseconds. Where a look takes longer than that, there
// may always be more that has become due meanwhile: the search must end
// nevertheless, and the server be left in peace.
func TestAServerThatTakesItsTimeIsNotAskedWithoutEndForWhatIsDue(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.srv.Inject(etcdtest.Fault{Delay: 2 * time.Millisecond, DelayReply: 2 * time.Millisecond, Match: func(r *etcdtest.Request) bool {
			return strings.HasPrefix(r.Path, "/v3/kv/")
		}})
		requests := w.requests(func() {
			_, err := q.Enqueue(w.Context(), "x", queue.Delay(time.Second))
			require.NoError(w, err)
			require.NoError(w, n.takeOne().Ack(w.Context()))
			time.Sleep(30 * time.Second)
		})
		require.GreaterOrEqual(w, requests, 4)
		require.LessOrEqual(w, requests, 12)
		w.empty()
	})
}

func TestAConsumersOwnJobsDoNotWaitForWhatItDoesForAll(t *testing.T) {
	for what, hangs := range map[string]func(*etcdtest.Request) bool{
		"promote": func(r *etcdtest.Request) bool {
			return r.Path == "/v3/kv/range" && strings.HasPrefix(r.Key(), data+"later/")
		},
		"chores": func(r *etcdtest.Request) bool {
			return r.Path == "/v3/kv/range" && strings.HasPrefix(r.Key(), data+"window/")
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(w *world) {
				q, n := w.queue(), w.node()
				hung := make(chan struct{})
				defer close(hung)
				in := w.srv.Inject(etcdtest.Fault{Hold: hung, Match: hangs})
				_, err := q.Enqueue(w.Context(), "later", queue.Delay(time.Second))
				require.NoError(w, err)
				require.NoError(w, in.Await(w.Context(), 1))
				w.push(q, "x")
				d := n.takeOne()
				require.NoError(w, d.Nack(w.Context(), time.Hour)) // leaves a record that is to be removed
				w.settle()
				require.Empty(w, w.srv.Keys(data+"claim/"))
				start := time.Now()
				require.NoError(w, n.Close(w.Context()))
				require.Zero(w, time.Since(start))
			})
		})
	}
}

func TestAtCloseTheContextOfAJobEndsBeforeOthersCanHaveIt(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, "x")
		d := a.takeOne()
		presence := data + "c/consumer/" + a.ID()
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold, Match: func(r *etcdtest.Request) bool {
			return r.Touches(presence)
		}})
		closed := make(chan error, 1)
		go func() { closed <- a.Close(w.Context()) }()
		require.NoError(w, in.Await(w.Context(), 1))
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrConsumerClosed)
		require.ErrorIs(w, d.Err(), queue.ErrConsumerClosed)
		close(hold)
		require.NoError(w, <-closed)
		require.Equal(w, 2, w.node().takeOne().Attempt)
	})
}

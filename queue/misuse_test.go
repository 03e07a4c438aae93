package queue_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

func TestAQueueThatWasNotMadeByNewIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		ctx := w.Context()
		s := w.session(w.client())
		for _, q := range []*queue.Queue[string]{nil, new(queue.Queue[string])} {
			require.Empty(w, q.Name())
			require.Nil(w, q.Client())
			_, enqueue := q.Enqueue(ctx, "x")
			_, many := q.EnqueueMany(ctx, []string{"x", "y"})
			_, _, op := q.EnqueueOp("x")
			_, decode := q.Decode(queue.Job{ID: "0-1-x"})
			_, consumer := q.Consumer(s)
			_, stats := q.Stats(ctx)
			_, get := q.Get(ctx, "0-1-x")
			_, redrive := q.Redrive(ctx)
			_, byID := q.Redrive(ctx, queue.ByID("0-1-x"))
			_, ready := q.Purge(ctx, queue.Ready)
			_, dead := q.Purge(ctx, queue.Dead)
			_, consumers := q.Consumers(ctx)
			_, reclaim := q.Reclaim(ctx, "x")
			worker := queue.NewWorker(s, q, func(context.Context, *queue.Delivery[string]) error { return nil }, queue.WorkerConfig{})
			errs := []error{enqueue, many, op, decode, consumer, stats, get, redrive, byID, ready, dead, consumers, reclaim,
				q.Cancel(ctx, "0-1-x"), q.Pause(ctx, ""), q.Resume(ctx), worker.Run(ctx)}
			n := 0
			for _, err := range q.List(ctx, queue.Ready) {
				errs = append(errs, err)
				n++
			}
			require.Equal(w, 1, n)
			for _, err := range errs {
				require.ErrorContains(w, err, "the Queue was not made by New")
			}
		}
	})
}

func TestAConsumerThatWasNotMadeByAQueueIsAClearError(t *testing.T) {
	ctx := t.Context()
	for _, c := range []*queue.Consumer[string]{nil, new(queue.Consumer[string])} {
		require.Empty(t, c.ID())
		require.Error(t, c.Context().Err())
		_, receive := c.Receive(ctx, 1)
		for _, err := range []error{
			receive, c.Err(), context.Cause(c.Context()), c.Close(ctx),
			c.Ack(ctx), c.Return(ctx), c.Ack(ctx, nil), c.Return(ctx, new(queue.Delivery[string])),
		} {
			require.ErrorContains(t, err, "the Consumer was not made by Queue.Consumer")
		}
	}
}

func TestASessionThatWasNotMadeByNewSessionIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		for _, s := range []*etcd.Session{nil, new(etcd.Session)} {
			_, err := w.queue().Consumer(s)
			require.ErrorContains(w, err, "no session")
		}
	})
}

func TestANilDeliveryIsLikeOneMadeByHand(t *testing.T) {
	inBubble(t, func(w *world) {
		ctx := w.Context()
		n := w.node()
		for _, d := range []*queue.Delivery[string]{nil, {Value: "by hand"}} {
			require.Zero(w, d.Token())
			require.NoError(w, d.Err())
			require.NoError(w, d.Context().Err())
			_, with := d.AckWith(ctx, etcd.Txn{})
			for _, err := range []error{
				d.Ack(ctx), with, d.Nack(ctx, 0), d.Dead(ctx, ""), d.Return(ctx), n.Ack(ctx, d), n.Consumer.Return(ctx, d),
			} {
				require.ErrorContains(w, err, "not received from a Consumer")
			}
			res, err := n.c.Txn(ctx, etcd.Txn{If: []etcd.Cmp{d.Guard()}})
			require.NoError(w, err)
			require.False(w, res.Succeeded)
		}
	})
}

func TestAWorkerThatWasNotMadeByNewWorkerIsAClearError(t *testing.T) {
	for _, worker := range []*queue.Worker[string]{nil, new(queue.Worker[string])} {
		worker.StopNow()
		worker.StopNow()
		require.ErrorContains(t, worker.Run(t.Context()), "the Worker was not made by NewWorker")
	}
	inBubble(t, func(w *world) {
		c := w.client()
		none := queue.NewWorker[string](w.session(c), nil, nil, queue.WorkerConfig{})
		none.StopNow()
		require.ErrorContains(w, none.Run(w.Context()), "the Queue was not made by New")
		require.ErrorContains(w, queue.NewWorker(w.session(c), queue.New[string](c, name), nil, queue.WorkerConfig{}).Run(w.Context()), "no handler")
	})
}

func TestACodecOfAnotherTypeIsAClearErrorOfEveryCall(t *testing.T) {
	inBubble(t, func(w *world) {
		q := queue.New[string](w.client(), name, queue.WithCodec[[]byte](swapped{}))
		_, enqueue := q.Enqueue(w.Context(), "x")
		_, decode := q.Decode(queue.Job{ID: "0-1-x"})
		for _, err := range []error{enqueue, decode} {
			require.ErrorContains(w, err, "the codec given is not one of string")
		}
	})
}

// swapped is a codec of bytes.
type swapped struct{}

func (swapped) Encode(b []byte) ([]byte, error) { return b, nil }
func (swapped) Decode(b []byte) ([]byte, error) { return b, nil }

func TestErrorsMadeByHandSayWhatTheyCan(t *testing.T) {
	for _, err := range []error{&queue.Error{}, &queue.DuplicateError{}, &queue.PanicError{}, &queue.StillRunningError{}, queue.Permanent(nil)} {
		require.NotEmpty(t, err.Error())
	}
}

package queue_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// A handler may decrypt in place what it was given; what is tried again is the job
// as it was enqueued.
func TestBytesThatAHandlerChangesAreTriedAgainAsTheyWere(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		q := queue.New[[]byte](c, name)
		_, err := q.Enqueue(w.Context(), []byte("secret"), queue.Headers(map[string]string{"by": "me"}))
		require.NoError(w, err)
		n, err := q.Consumer(w.session(c))
		require.NoError(w, err)
		defer func() { require.NoError(w, n.Close(w.Context())) }()
		for range 2 {
			ds, err := n.Receive(w.Context(), 1)
			require.NoError(w, err)
			require.Equal(w, "secret", string(ds[0].Value))
			require.Equal(w, "me", ds[0].Headers["by"])
			copy(ds[0].Value, "plain!")
			ds[0].Headers["by"] = "you"
			require.NoError(w, ds[0].Nack(w.Context(), 0))
		}
	})
}

// What its caller has given up may still be put into the queue, in a batch that is
// made anew because of somebody else's job.
func TestBytesThatAProducerUsesAgainAreEnqueuedAsTheyWereOrNotAtAll(t *testing.T) {
	inBubble(t, func(w *world) {
		q := queue.New[[]byte](w.client(), name)
		_, err := q.Enqueue(w.Context(), []byte("first"), queue.Unique("k"))
		require.NoError(w, err)
		first, second := make(chan struct{}), make(chan struct{})
		held := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: first, Match: enqueues})
		next := w.srv.Inject(etcdtest.Fault{Path: txnPath, Skip: 1, Times: 1, Hold: second, Match: enqueues})
		errs := make(chan error, 3)
		enqueue := func(ctx context.Context, b []byte, opts ...queue.EnqueueOption) {
			_, err := q.Enqueue(ctx, b, opts...)
			errs <- err
		}
		go enqueue(w.Context(), []byte("leader"))
		require.NoError(w, held.Await(w.Context(), 1))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		buffer := bytes.Repeat([]byte("a"), 100)
		go enqueue(ctx, buffer)
		time.Sleep(time.Millisecond)
		go enqueue(w.Context(), []byte("double"), queue.Unique("k"))
		time.Sleep(time.Millisecond)
		close(first)
		require.NoError(w, <-errs)
		require.NoError(w, next.Await(w.Context(), 1))
		require.ErrorIs(w, <-errs, etcd.ErrUnknownOutcome)
		copy(buffer, "scribble")
		close(second)
		require.ErrorIs(w, <-errs, queue.ErrDuplicate)
		w.settle()
		var found bool
		for _, key := range w.srv.Keys(data + "jobs/") {
			kv, _ := w.srv.Get(key)
			require.NotContains(w, string(kv.Value), "scribble")
			found = found || bytes.Contains(kv.Value, []byte("aaaa"))
		}
		require.True(w, found, "it is put, as it may be")
	})
}

// fragile is a codec that panics over some values.
type fragile struct{}

func (fragile) Encode(s string) ([]byte, error) {
	if s == "cannot be encoded" {
		panic("a fault of Encode")
	}
	return []byte(s), nil
}

func (fragile) Decode(b []byte) (string, error) {
	if strings.HasPrefix(string(b), "cannot be decoded") {
		return string(b[len(b)]), nil
	}
	return string(b), nil
}

func TestACodecThatPanicsMakesADeadLetterOfThatJobAlone(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		q := queue.New[string](c, name, queue.WithCodec[string](fragile{}))
		w.push(q, "a", "cannot be decoded", "b")
		s := w.session(c)
		n, err := q.Consumer(s)
		require.NoError(w, err)
		defer func() { require.NoError(w, n.Close(w.Context())) }()
		ds, err := n.Receive(w.Context(), 10)
		require.NoError(w, err)
		require.Equal(w, []string{"a", "b"}, values(ds))
		require.NoError(w, n.Ack(w.Context(), ds...))
		w.settle()
		dead := w.list(q, queue.Dead)
		require.Len(w, dead, 1)
		require.Equal(w, "unreadable", dead[0].DiedBy)
		require.Equal(w, "cannot be decoded", string(dead[0].Payload))
		require.Contains(w, dead[0].Reason, "the codec panicked: runtime error: index out of range [17] with length 17")
		require.Contains(w, dead[0].Reason, "codec_test.go", "the stack")

		_, err = q.Decode(dead[0])
		var panicked *queue.PanicError
		require.ErrorAs(w, err, &panicked)
		require.ErrorContains(w, err, dead[0].ID)
	})
}

func TestAWorkerGoesOnAfterItsCodecPanicked(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		q := queue.New[string](c, name, queue.WithCodec[string](fragile{}))
		w.push(q, "a", "cannot be decoded", "b", "cannot be decoded either", "c")
		var mu sync.Mutex
		var done []string
		worker := queue.NewWorker(w.session(c), q, func(_ context.Context, d *queue.Delivery[string]) error {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, d.Value)
			return nil
		}, queue.WorkerConfig{Drain: true})
		require.NoError(w, worker.Run(w.Context()))
		require.Equal(w, []string{"a", "b", "c"}, sorted(done))
		require.EqualValues(w, 2, w.stats(q).Dead)
		w.audit()
	})
}

func TestACodecThatPanicsWhenItEncodesIsAnErrorOfTheEnqueue(t *testing.T) {
	inBubble(t, func(w *world) {
		q := queue.New[string](w.client(), name, queue.WithCodec[string](fragile{}))
		_, one := q.Enqueue(w.Context(), "cannot be encoded")
		_, many := q.EnqueueMany(w.Context(), []string{"a", "cannot be encoded"})
		_, _, op := q.EnqueueOp("cannot be encoded")
		for _, err := range []error{one, many, op} {
			var panicked *queue.PanicError
			require.ErrorAs(w, err, &panicked)
			require.Equal(w, "a fault of Encode", panicked.Value)
			require.Contains(w, string(panicked.Stack), "codec_test.go")
			require.ErrorContains(w, err, name)
			require.NotErrorIs(w, err, etcd.ErrUnknownOutcome)
		}
		require.Zero(w, w.stats(q).Ready)
	})
}

// A value's own methods are called by the default codec.
type stubborn struct{ S string }

func (s *stubborn) UnmarshalJSON([]byte) error { panic(errors.New("a fault of UnmarshalJSON")) }

func TestAValueWhoseOwnMethodsPanicIsNotDecoded(t *testing.T) {
	inBubble(t, func(w *world) {
		q := queue.New[stubborn](w.client(), name)
		_, err := q.Enqueue(w.Context(), stubborn{"x"})
		require.NoError(w, err)
		for j, err := range q.List(w.Context(), queue.Ready) {
			require.NoError(w, err)
			_, err = q.Decode(j)
			require.ErrorContains(w, err, "the codec panicked: a fault of UnmarshalJSON")
		}
	})
}

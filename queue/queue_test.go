package queue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

func TestAJobIsEnqueuedReceivedAndAcknowledged(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		id, err := w.queue().Enqueue(w.Context(), "hello", queue.Headers(map[string]string{"trace": `"7"`}))
		require.NoError(w, err)
		d := n.takeOne()
		require.Equal(w, "hello", d.Value)
		require.Equal(w, id, d.ID)
		require.Equal(w, 1, d.Attempt)
		require.Equal(w, map[string]string{"trace": `"7"`}, d.Headers)
		require.Positive(w, d.Token())
		require.NoError(w, d.Err())
		require.False(w, d.EnqueuedAt.IsZero())
		require.NoError(w, d.Ack(w.Context()))
		require.NoError(w, d.Ack(w.Context()), "Ack is idempotent")
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrSettled)
		w.empty()
	})
}

func TestJobsComeInTheOrderTheyWereEnqueuedIn(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		want := numbered(2500 / stride)
		ids := w.push(q, want...)
		require.Len(w, ids, len(want))
		var got []string
		for len(got) < len(want) {
			ds := n.take(min(700, len(want)-len(got)))
			got = append(got, values(ds)...)
			w.ackAll(ds)
		}
		require.Equal(w, want, got)
		w.empty()
	})
}

func TestAReceiveThatWaitsIsWokenByAJob(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		got := make(chan string, 1)
		go func() { got <- n.takeOne().Value }()
		time.Sleep(30 * time.Second)
		w.push(q, "late")
		start := time.Now()
		require.Equal(w, "late", <-got)
		require.Less(w, time.Since(start), 10*time.Millisecond, "no polling")
	})
}

func TestEnqueueManyIsAllOrNothing(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		big := strings.Repeat("x", 600_000)
		_, err := q.EnqueueMany(w.Context(), []string{big, big})
		require.ErrorIs(w, err, queue.ErrTooLarge)
		_, err = q.EnqueueMany(w.Context(), numbered(queue.MaxBatch+1))
		require.ErrorIs(w, err, queue.ErrTooLarge)
		ids, err := q.EnqueueMany(w.Context(), nil)
		require.NoError(w, err)
		require.Empty(w, ids)
		require.Zero(w, w.srv.Requests()["/v3/kv/txn"])
		w.push(q, numbered(queue.MaxBatch)...)
		require.EqualValues(w, queue.MaxBatch, w.stats(q).Ready)
	})
}

func TestHigherPrioritiesGoFirst(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		for _, j := range []struct {
			v string
			p int
		}{{"low", 0}, {"mid", 4}, {"high", 9}, {"low too", 0}} {
			_, err := q.Enqueue(w.Context(), j.v, queue.Priority(j.p))
			require.NoError(w, err)
		}
		n := w.node()
		require.Equal(w, []string{"high", "mid", "low", "low too"}, values(n.take(4)))
	})
}

func TestWeightedPrioritiesDoNotStarveTheLow(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		_, err := q.EnqueueMany(w.Context(), numbered(400), queue.Priority(5))
		require.NoError(w, err)
		_, err = q.EnqueueMany(w.Context(), numbered(400))
		require.NoError(w, err)
		n := w.node(queue.Weighted(map[int]int{5: 3}))
		low := 0
		for range 200 {
			d := n.takeOne()
			low += map[int]int{0: 1}[d.Priority]
			require.NoError(w, d.Ack(w.Context()))
		}
		require.InDelta(w, 50, low, 40)
	})
}

func TestADelayedJobComesWhenItIsDueAndNotBefore(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		start := time.Now()
		id, err := q.Enqueue(w.Context(), "later", queue.Delay(time.Hour))
		require.NoError(w, err)
		at, err := q.Enqueue(w.Context(), "sooner", queue.At(start.Add(20*time.Minute)))
		require.NoError(w, err)
		require.EqualValues(w, 2, w.stats(q).Delayed)
		n.none(19 * time.Minute)
		d := n.takeOne()
		require.Equal(w, at, d.ID)
		require.InDelta(w, 20*time.Minute, time.Since(start), float64(100*time.Millisecond))
		require.NoError(w, d.Ack(w.Context()))
		n.none(39 * time.Minute)
		d = n.takeOne()
		require.Equal(w, id, d.ID)
		require.InDelta(w, time.Hour, time.Since(start), float64(100*time.Millisecond))
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

func TestAJobThatIsNotAcknowledgedIsTriedAgainUnderItsId(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		id := w.push(q, "x")[0]
		for attempt := 1; attempt <= 3; attempt++ {
			d := n.takeOne()
			require.Equal(w, id, d.ID)
			require.Equal(w, attempt, d.Attempt)
			if attempt > 1 {
				require.Equal(w, "no luck", d.LastError)
			}
			require.NoError(w, d.Nack(w.Context(), time.Minute, queue.Because(context.Cause(failed("no luck")))))
			require.NoError(w, d.Nack(w.Context(), time.Minute), "Nack is idempotent")
			require.ErrorIs(w, d.Ack(w.Context()), queue.ErrSettled)
			j, err := q.Get(w.Context(), id)
			require.NoError(w, err)
			require.Equal(w, queue.Delayed, j.State)
			require.Equal(w, attempt, j.Attempt)
		}
		d := n.takeOne()
		require.NoError(w, d.Nack(w.Context(), 0, queue.WithoutAttempt()))
		require.Equal(w, 4, n.takeOne().Attempt)
	})
}

// failed gives a context that ended with that cause.
func failed(cause string) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errorString(cause))
	return ctx
}

type errorString string

func (e errorString) Error() string { return string(e) }

func TestAnExpiredJobBecomesADeadLetterInsteadOfBeingDelivered(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		old, err := q.Enqueue(w.Context(), "old", queue.TTL(time.Minute))
		require.NoError(w, err)
		_, err = q.Enqueue(w.Context(), "fresh", queue.TTL(time.Hour))
		require.NoError(w, err)
		time.Sleep(2 * time.Minute)
		n := w.node()
		d := n.takeOne()
		require.Equal(w, "fresh", d.Value)
		require.NoError(w, d.Ack(w.Context()))
		w.settle()
		dead := w.list(q, queue.Dead)
		require.Len(w, dead, 1)
		require.Equal(w, old, dead[0].ID)
		require.Equal(w, "expired", dead[0].DiedBy)
		require.Equal(w, 0, dead[0].Attempt)
	})
}

func TestAReceiveThatEndsKeepsWhatWasClaimedForTheNext(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(10))
		w.push(q, numbered(5)...)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		_, err := n.Receive(ctx, 5)
		require.ErrorIs(w, err, context.Canceled)
		require.Equal(w, numbered(5), values(n.take(5)))
	})
}

func TestWrongArgumentsAreErrorsThatSaySo(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		s := w.session(c)
		_, err := queue.New[string](c, "").Enqueue(w.Context(), "x")
		require.ErrorContains(w, err, "empty")
		_, err = queue.New[string](nil, "a").Enqueue(w.Context(), "x")
		require.ErrorContains(w, err, "no client")
		_, err = queue.New[string](c, "a", queue.WithCodec[int](struct{ queue.Codec[int] }{})).Enqueue(w.Context(), "x")
		require.ErrorContains(w, err, "codec")
		q := queue.New[string](c, "a")
		for _, opt := range []queue.EnqueueOption{
			queue.Priority(10), queue.Priority(-1), queue.Delay(-1), queue.TTL(-1), queue.Unique(""),
			queue.UniqueFor("x", -1), queue.UniqueFor("x", 0), queue.Headers(map[string]string{"\xff": ""}),
		} {
			_, err := q.Enqueue(w.Context(), "x", opt)
			require.Error(w, err)
			require.ErrorContains(w, err, `enqueue "a"`)
		}
		_, err = q.EnqueueMany(w.Context(), []string{"a", "b"}, queue.Unique("k"))
		require.Error(w, err)
		_, err = q.Consumer(nil)
		require.Error(w, err)
		_, err = q.Consumer(s, queue.Prefetch(-1))
		require.Error(w, err)
		_, err = q.Get(w.Context(), "no/such")
		require.ErrorIs(w, err, queue.ErrNotFound)
		n := w.nodeOf(c, s)
		_, err = n.Receive(w.Context(), 0)
		require.Error(w, err)
	})
}

func TestBytesTravelAsTheyAreAndACodecCanBeGiven(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		s := w.session(c)
		raw := queue.New[[]byte](c, "raw")
		payload := []byte("\x00line\nbreak\xff")
		_, err := raw.Enqueue(w.Context(), payload)
		require.NoError(w, err)
		rc, err := raw.Consumer(s)
		require.NoError(w, err)
		ds, err := rc.Receive(w.Context(), 1)
		require.NoError(w, err)
		require.Equal(w, payload, ds[0].Value)
		require.NoError(w, rc.Close(w.Context()))

		shouting := queue.New[string](c, "codec", queue.WithCodec[string](shout{}))
		id, err := shouting.Enqueue(w.Context(), "hi")
		require.NoError(w, err)
		j, err := shouting.Get(w.Context(), id)
		require.NoError(w, err)
		require.Equal(w, "HI", string(j.Payload))
		v, err := shouting.Decode(j)
		require.NoError(w, err)
		require.Equal(w, "hi", v)
	})
}

type shout struct{}

func (shout) Encode(s string) ([]byte, error) { return []byte(strings.ToUpper(s)), nil }
func (shout) Decode(b []byte) (string, error) { return strings.ToLower(string(b)), nil }

func TestNamesDoNotSeeEachOtherAndAreListed(t *testing.T) {
	inBubbles(t, func(w *world) {
		c := w.client()
		for _, n := range []string{"a", "a/b", "b c"} {
			_, err := queue.New[string](c, n).Enqueue(w.Context(), "in "+n)
			require.NoError(w, err)
		}
		_, err := queue.New[string](c, "", queue.WithPrefix("my/own")).Enqueue(w.Context(), "x")
		require.NoError(w, err)
		names, err := queue.Names(w.Context(), c)
		require.NoError(w, err)
		require.ElementsMatch(w, []string{"a", "a/b", "b c"}, names)
		st, err := queue.New[string](c, "a").Stats(w.Context())
		require.NoError(w, err)
		require.EqualValues(w, 1, st.Ready)
		require.NotEmpty(w, w.srv.Keys("my/own/q/jobs/"))
	})
}

package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

// A longName is 512 bytes of which each takes three in a key.
var longName = strings.Repeat("/", 512)

// longNamed tells of a queue with the longest name there is, and a consumer of it.
func longNamed(t *testing.T, f func(w *world, q *queue.Queue[string], n *queue.Consumer[string])) {
	t.Helper()
	inBubbleWith(t, usual, func(w *world) {
		c := w.client()
		q := queue.New[string](c, longName)
		n, err := q.Consumer(w.session(c))
		require.NoError(w, err)
		w.settle()
		f(w, q, n)
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		require.NoError(w, n.Close(ctx))
	})
}

// fragmented gives claims of which every other job was given back, so that each is
// in as many pieces as it has jobs.
func fragmented(w *world, q *queue.Queue[string], n *queue.Consumer[string], claims, jobs int) (out [][]*queue.Delivery[string]) {
	w.Helper()
	for range claims {
		_, err := q.EnqueueMany(w.Context(), numbered(2*jobs))
		require.NoError(w, err)
	}
	var odd []*queue.Delivery[string]
	for range claims {
		ds, err := n.Receive(w.Context(), 2*jobs)
		require.NoError(w, err)
		require.Len(w, ds, 2*jobs)
		var even []*queue.Delivery[string]
		for i, d := range ds {
			if i%2 == 0 {
				even = append(even, d)
			} else {
				odd = append(odd, d)
			}
		}
		out = append(out, even)
	}
	require.NoError(w, n.Return(w.Context(), odd...))
	return out
}

// together calls f for many deliveries at once.
func together(w *world, ds []*queue.Delivery[string], f func(*queue.Delivery[string]) error) {
	w.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(ds))
	for i, d := range ds {
		wg.Go(func() { errs[i] = f(d) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(w, err)
	}
}

func TestManyFragmentedClaimsOfTheLongestNameAreRemoved(t *testing.T) {
	longNamed(t, func(w *world, q *queue.Queue[string], n *queue.Consumer[string]) {
		claims := fragmented(w, q, n, 32, 30)
		var last []*queue.Delivery[string]
		for _, ds := range claims {
			require.NoError(w, n.Ack(w.Context(), ds[1:]...))
			last = append(last, ds[0])
		}
		together(w, last, func(d *queue.Delivery[string]) error { return d.Nack(w.Context(), time.Hour) })
		time.Sleep(time.Minute)
		st, err := q.Stats(w.Context())
		require.NoError(w, err)
		require.Zero(w, st.Claims)
		require.EqualValues(w, 32, st.Delayed)
		require.EqualValues(w, 32*30, st.Ready)
	})
}

func TestTheLastJobsOfManyFragmentedClaimsOfTheLongestNameAreAcknowledgedTogether(t *testing.T) {
	longNamed(t, func(w *world, q *queue.Queue[string], n *queue.Consumer[string]) {
		claims := fragmented(w, q, n, 17, 31)
		var last []*queue.Delivery[string]
		for _, ds := range claims {
			require.NoError(w, n.Ack(w.Context(), ds[1:]...))
			last = append(last, ds[0])
		}
		require.NoError(w, n.Ack(w.Context(), last...))
		time.Sleep(time.Minute)
		st, err := q.Stats(w.Context())
		require.NoError(w, err)
		require.Zero(w, st.Claims)
	})
}

func TestManyJobsOfTheLongestNamesBecomeDeadLettersTogether(t *testing.T) {
	longNamed(t, func(w *world, q *queue.Queue[string], n *queue.Consumer[string]) {
		const jobs = 60
		var enqueued sync.WaitGroup
		for i := range jobs {
			enqueued.Go(func() {
				_, err := q.Enqueue(w.Context(), strings.Repeat("x", 11_000), queue.Unique(longName[:500]+fmt.Sprint(i)))
				if err != nil {
					w.Error(err)
				}
			})
		}
		enqueued.Wait()
		var ds []*queue.Delivery[string]
		for len(ds) < jobs {
			got, err := n.Receive(w.Context(), jobs-len(ds))
			require.NoError(w, err)
			ds = append(ds, got...)
		}
		together(w, ds, func(d *queue.Delivery[string]) error { return d.Dead(w.Context(), "no use") })
		st, err := q.Stats(w.Context())
		require.NoError(w, err)
		require.EqualValues(w, jobs, st.Dead)
	})
}

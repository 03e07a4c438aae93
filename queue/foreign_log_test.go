package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// What stands between two positions of the log is no job, and nobody's.
func TestAForeignKeyInTheLogHurtsNobody(t *testing.T) {
	between := func(pos int) string { return data + fmt.Sprintf("jobs/0/%016xforeign", pos) }
	put := func(w *world) (keys []string) {
		for _, pos := range []int{0, 1, 3} {
			w.srv.Put(between(pos), []byte("somebody else's"))
			keys = append(keys, between(pos))
		}
		return keys
	}
	stays := func(w *world, keys []string) {
		w.Helper()
		w.settle()
		require.Equal(w, keys, w.srv.Keys(data+"jobs/"))
	}
	t.Run("a consumer", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			n := w.node()
			w.push(n.q, "a", "b", "c", "d")
			keys := put(w)
			for _, want := range []string{"a", "b", "c", "d"} {
				d := n.within(time.Minute, 1)[0]
				require.Equal(w, want, d.Value)
				require.NoError(w, d.Ack(w.Context()))
			}
			stays(w, keys)
			require.Zero(w, w.stats(n.q).Claims)
		})
	})
	t.Run("one that finds a hole", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			q := w.queue()
			ids := w.push(q, "a", "b", "c", "d", "e", "f")
			for _, id := range ids[:5] {
				require.NoError(w, q.Cancel(w.Context(), id))
			}
			keys := put(w)
			n := w.node()
			w.ackAll(n.within(time.Minute, 1))
			w.push(q, "g")
			w.ackAll(n.within(time.Minute, 1))
			stays(w, keys)
		})
	})
	t.Run("suspects", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			n := w.node()
			w.push(n.q, "a", "b", "c", "d", "e")
			w.ackAll(n.take(5)[:2])
			keys := put(w)
			n.die()
			n = w.node()
			for range 3 {
				w.ackAll(n.within(time.Minute, 1))
			}
			w.push(n.q, "f")
			w.ackAll(n.within(time.Minute, 1))
			n.none(time.Minute) // which clears the record away
			stays(w, keys)
		})
	})
	t.Run("a claim whose jobs went elsewhere", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			n := w.node()
			w.push(n.q, "a", "b", "c", "d")
			ds := n.take(4)
			keys := put(w)
			for _, d := range ds {
				require.NoError(w, d.Nack(w.Context(), time.Minute))
			}
			w.settle()
			require.Zero(w, w.stats(n.q).Claims)
			w.ackAll(n.within(2*time.Minute, 4))
			stays(w, keys)
		})
	})
	t.Run("a claim in many pieces", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			n := w.node()
			w.push(n.q, numbered(80)...)
			var odd []*queue.Delivery[string]
			for i, d := range n.take(80) {
				if i%2 == 0 {
					require.NoError(w, d.Nack(w.Context(), time.Hour))
				} else {
					odd = append(odd, d)
				}
			}
			require.NoError(w, n.Consumer.Return(w.Context(), odd[1:]...))
			put(w)
			require.NoError(w, odd[0].Nack(w.Context(), time.Hour))
			time.Sleep(time.Minute)
			require.Zero(w, w.stats(n.q).Claims)
		})
	})
	t.Run("a worker that drains", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			c := w.client()
			q := queue.New[string](c, name)
			w.push(q, "a", "b", "c", "d")
			put(w)
			ctx, cancel := context.WithTimeout(w.Context(), time.Hour)
			defer cancel()
			handler := func(_ context.Context, d *queue.Delivery[string]) error {
				if d.Attempt == 1 {
					return errBroken
				}
				return nil
			}
			worker := queue.NewWorker(w.session(c), q, handler, queue.WorkerConfig{Drain: true, Concurrency: 2})
			require.NoError(w, worker.Run(ctx))
			require.NoError(w, ctx.Err(), "it has ended by itself")
		})
	})
	t.Run("a purge", func(t *testing.T) {
		inBubbles(t, func(w *world) {
			q := w.queue()
			w.push(q, "a", "b", "c", "d")
			keys := put(w)
			n, err := q.Purge(w.Context(), queue.Ready)
			require.NoError(w, err)
			require.Equal(w, 4, n)
			require.Empty(w, w.srv.Keys(data+"purge/"))
			stays(w, keys[2:]) // the others stood between positions that went as one range
		})
	})
}

// Three presences that nobody has a lease for would be taken for those who watch
// the inbox.
func TestForeignPresencesDoNotKeepTheInboxFromBeingWatched(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		for _, id := range []string{"a", "b", "c"} {
			w.srv.Put(data+"c/consumer/"+id, []byte("somebody else's"))
		}
		n := w.node()
		_, op, err := q.EnqueueOp("outbox")
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		w.ackAll(n.within(time.Minute, 1))
	})
}

// Positions are told in small letters. A key in capitals sorts among other positions
// than the one it would be read as, and who took it for that one would settle
// somebody else's job.
func TestAKeyInTheLogInCapitalsIsNoPosition(t *testing.T) {
	inBubbles(t, func(w *world) {
		n := w.node()
		w.push(n.q, numbered(11)...)
		job, ok := w.srv.Get(data + fmt.Sprintf("jobs/0/%016x", 0))
		require.True(w, ok)
		foreign := data + fmt.Sprintf("jobs/0/%016X", 10)
		w.srv.Put(foreign, job.Value)
		ds := n.within(time.Minute, 10)
		w.ackAll(ds)
		last := n.within(time.Minute, 1)
		require.Equal(w, numbered(11), append(values(ds), values(last)...))
		require.EqualValues(w, 1, w.stats(n.q).Claims)
		w.ackAll(last)
		n.none(time.Minute)
		require.Equal(w, []string{foreign}, w.srv.Keys(data+"jobs/"))
	})
}

package queue_test

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// deaf lets a client's watches fall silent: what they are sent does not arrive
// until hear is closed.
func deaf(hear <-chan struct{}, from *atomic.Bool) func(*etcd.Config) {
	return func(cfg *etcd.Config) {
		dial := cfg.Dial
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return &deafConn{Conn: conn, hear: hear, from: from}, err
		}
	}
}

type deafConn struct {
	net.Conn
	hear  <-chan struct{}
	from  *atomic.Bool
	watch atomic.Bool
}

func (c *deafConn) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("GET /v3/watch")) {
		c.watch.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *deafConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.watch.Load() && c.from.Load() {
		<-c.hear
	}
	return n, err
}

// A consumer that promotes has not heard of a due time that was written just now
// and is before what it knows of. What it tells the others of the next one must
// not make them forget it: it may die before it hears of it itself.
func TestADueTimeThatThePromoterHasNotHeardOfIsNotForgottenByTheOthers(t *testing.T) {
	for odd := range 2 { // whose turn it is depends on the time
		inBubbles(t, func(w *world) {
			q := w.queue()
			hear := make(chan struct{})
			defer close(hear)
			var silent atomic.Bool
			c := w.client(deaf(hear, &silent))
			a := w.nodeOf(c, w.session(c))
			w.settle()
			b := w.node()
			due := time.Now().Add(10*time.Second + time.Duration(odd)*time.Millisecond)
			_, err := q.Enqueue(w.Context(), "known", queue.At(due))
			require.NoError(w, err)
			time.Sleep(time.Until(due) - 30*time.Millisecond)
			silent.Store(true)
			_, err = q.Enqueue(w.Context(), "unheard of", queue.At(due.Add(-20*time.Millisecond)))
			require.NoError(w, err)
			time.Sleep(time.Until(due) + 5*time.Millisecond)
			w.settle()
			a.die()
			ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
			defer cancel()
			for n := 0; n < 2; {
				ds, err := b.Receive(ctx, 2)
				require.NoError(w, err)
				w.ackAll(ds)
				n += len(ds)
			}
			w.empty()
		})
	}
}

// The server steps over what was removed since the last compaction, so each
// portion of what is due begins behind the one before.
func TestManyJobsThatAreDueAtOnceArePromotedWithoutLookingAtThemAgain(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		for i := range 5 {
			_, err := q.EnqueueMany(w.Context(), numbered(400), queue.At(time.Now().Add(time.Hour-time.Duration(i)*100*time.Millisecond)))
			require.NoError(w, err)
		}
		var mu sync.Mutex
		var from []string
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Match: func(r *etcdtest.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(r.Key(), data+"later/") {
				from = append(from, r.Key())
			}
			return false
		}})
		require.NoError(w, n.Close(w.Context()))
		time.Sleep(2 * time.Hour)
		n = w.node()
		require.NoError(w, n.Ack(w.Context(), n.take(2000)...))
		w.settle()
		mu.Lock()
		defer mu.Unlock()
		require.GreaterOrEqual(w, len(from), 10)
		require.True(w, slices.IsSorted(from))
		require.Equal(w, len(from), len(slices.Compact(from)))
		require.Empty(w, w.keys())
	})
}

// Only the oldest consumers watch the inbox. Workers that are being stopped keep
// their places as long as their handlers take.
func TestOutboxJobsComeAlsoWhileTheOldestConsumersAreBeingStopped(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		gate := make(chan struct{})
		release := sync.OnceFunc(func() { close(gate) })
		defer release()
		handler := func(ctx context.Context, _ *queue.Delivery[string]) error {
			<-gate
			return nil
		}
		ended := make(chan error, 3)
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		for range 3 {
			c := w.client()
			s := w.session(c)
			worker := queue.NewWorker(s, queue.New[string](c, name), handler, queue.WorkerConfig{Concurrency: 1, StopTimeout: -1})
			go func() { ended <- worker.Run(ctx) }()
		}
		w.push(q, "a", "b", "c")
		time.Sleep(time.Second)
		require.EqualValues(w, 3, w.stats(q).Claimed)
		n := w.node()
		stop()
		w.settle()
		_, op, err := q.EnqueueOp("outbox")
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		patience, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		ds, err := n.Receive(patience, 1)
		require.NoError(w, err)
		require.NoError(w, ds[0].Ack(w.Context()))
		release()
		for range 3 {
			require.NoError(w, <-ended)
		}
		w.empty()
	})
}

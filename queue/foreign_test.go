package queue_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// within receives n jobs within a time.
func (n *node) within(d time.Duration, count int) (ds []*queue.Delivery[string]) {
	n.w.Helper()
	ctx, cancel := context.WithTimeout(n.w.Context(), d)
	defer cancel()
	for len(ds) < count {
		got, err := n.Receive(ctx, count-len(ds))
		require.NoError(n.w, err)
		ds = append(ds, got...)
	}
	return ds
}

// The promoter looks for the next due time behind now: what stands there and tells
// no time must not keep it from what is behind.
func TestAForeignKeyBetweenNowAndTheDelayedJobsDoesNotHoldThemUp(t *testing.T) {
	for what, foreign := range map[string]func(now time.Time) string{
		"a shorter number": func(now time.Time) string { return fmt.Sprintf("%016x", now.Add(time.Minute).UnixMilli())[:13] },
		"digits of another": func(now time.Time) string {
			return fmt.Sprintf("%016x", now.Add(time.Minute).UnixMilli())[:14] + "AA-x"
		},
		"a word": func(now time.Time) string {
			return fmt.Sprintf("%016x", now.Add(time.Minute).UnixMilli())[:12] + "foreign"
		},
		"behind all times":     func(time.Time) string { return "zzz" },
		"in front of all":      func(time.Time) string { return "!" },
		"a time without a job": func(now time.Time) string { return fmt.Sprintf("%016x", now.Add(time.Minute).UnixMilli()) },
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(w *world) {
				q := w.queue()
				key := data + "later/" + foreign(time.Now())
				w.srv.Put(key, []byte("somebody else's"))
				n := w.node()
				start := time.Now()
				for _, after := range []time.Duration{5 * time.Minute, 10 * time.Second, 15 * time.Minute} {
					_, err := q.Enqueue(w.Context(), after.String(), queue.Delay(after))
					require.NoError(w, err)
				}
				for _, after := range []time.Duration{10 * time.Second, 5 * time.Minute, 15 * time.Minute} {
					d := n.within(time.Hour, 1)[0]
					require.Equal(w, after.String(), d.Value)
					require.InDelta(w, after, time.Since(start), float64(5*time.Second))
					require.NoError(w, d.Ack(w.Context()))
				}
				w.settle()
				_, there := w.srv.Get(key)
				dead := w.list(q, queue.Dead)
				require.Equal(w, there, len(dead) == 0, "it is left alone, or a dead letter")
				require.Zero(w, w.stats(q).Delayed, "what is never due is not delayed")
			})
		})
	}
}

// What is too large to become a dead letter stays, and those behind it pass.
func TestAForeignKeyThatCannotBeMovedDoesNotHoldUpTheJobsBehindIt(t *testing.T) {
	for _, where := range []string{"later", "inbox"} {
		t.Run(where, func(t *testing.T) {
			inBubble(t, func(w *world) {
				q := w.queue()
				_, err := q.Stats(w.Context())
				require.NoError(w, err)
				huge := strings.Repeat("x", 1_572_700)
				key := data + "inbox/a"
				if where == "later" {
					key = data + fmt.Sprintf("later/%016x-foreign", time.Now().Add(time.Second).UnixMilli())
				}
				w.srv.Put(key, []byte(huge))
				for i := range 3 {
					if where == "later" {
						_, err = q.Enqueue(w.Context(), fmt.Sprint(i), queue.Delay(time.Duration(i+1)*time.Second))
					} else {
						_, op, _ := q.EnqueueOp(fmt.Sprint(i))
						_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
					}
					require.NoError(w, err)
				}
				n := w.node()
				w.ackAll(n.within(time.Minute, 3))
				looks := w.srv.Inject(etcdtest.Fault{Match: func(r *etcdtest.Request) bool { return r.Touches(key) && !r.Touches(data+"c/head") }})
				time.Sleep(3 * time.Minute)
				require.LessOrEqual(w, looks.Hits(), 30, "it does not spin")
				kv, there := w.srv.Get(key)
				require.True(w, there)
				require.Len(w, kv.Value, len(huge), "and nothing is lost")
				_, err = q.Enqueue(w.Context(), "after", queue.Delay(time.Second))
				require.NoError(w, err)
				w.ackAll(n.within(time.Minute, 1))
			})
		})
	}
}

func TestManyForeignKeysAmongTheDelayedCostByThePage(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		due := time.Now().Add(time.Minute)
		_, err := q.Enqueue(w.Context(), "x", queue.At(due))
		require.NoError(w, err)
		for i := range 1000 {
			w.srv.Put(data+fmt.Sprintf("later/%016x-%d", due.Add(-time.Second).UnixMilli(), i), []byte(fmt.Sprint("foreign ", i)))
		}
		n := w.node()
		var d *queue.Delivery[string]
		cost := w.requests(func() { d = n.within(2*time.Minute, 1)[0] })
		require.Less(w, cost, 150)
		require.NoError(w, d.Ack(w.Context()))
		require.Len(w, w.list(q, queue.Dead), 1000, "each is kept")
	})
}

// Their dead letters are put at the same time, and were written at the same revision.
func TestForeignKeysOfOneCommitBecomeADeadLetterEach(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		_, err := q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{
			etcd.Put(data+"inbox/a", []byte("one")), etcd.Put(data+"inbox/b", []byte("two")), etcd.Put(data+"inbox/c", []byte("two")),
			etcd.Put(data+"later/0000000000000001-a", []byte("three")), etcd.Put(data+"later/0000000000000001-b", []byte("four")),
			etcd.Put(data+"c/soon", []byte(`{"due":1}`)),
		}})
		require.NoError(w, err)
		w.node()
		time.Sleep(time.Minute)
		var payloads []string
		ids := map[string]bool{}
		for _, j := range w.list(q, queue.Dead) {
			payloads = append(payloads, string(j.Payload))
			ids[j.ID] = true
			found, err := q.Get(w.Context(), j.ID)
			require.NoError(w, err)
			require.Equal(w, string(j.Payload), string(found.Payload))
		}
		require.Equal(w, []string{"four", "one", "three", "two", "two"}, sorted(payloads))
		require.Len(w, ids, 5)
	})
}

// Copies of a job, as a restored backup of some keys leaves them, would be put
// under one key in a commit, which etcd refuses.
func TestCopiesOfADelayedJobInTheInboxDoNotHoldUpTheOthers(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		id, op, err := q.EnqueueOp("x", queue.Delay(time.Minute))
		require.NoError(w, err)
		_, other, err := q.EnqueueOp("y")
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op, other}})
		require.NoError(w, err)
		kv, there := w.srv.Get(data + "inbox/" + id)
		require.True(w, there)
		w.srv.Put(data+"inbox/copy", kv.Value)
		n := w.node()
		d := n.within(10*time.Second, 1)[0]
		require.Equal(w, "y", d.Value)
		require.NoError(w, d.Ack(w.Context()))
		w.ackAll(n.within(2*time.Minute, 1))
		w.empty()
	})
}

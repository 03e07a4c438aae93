package queue_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func TestAnOutboxJobIsThereIfAndOnlyIfTheTransactionWas(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		c := q.Client()
		var ids []string
		for i, v := range []string{"first", "second"} {
			id, op, err := q.EnqueueOp(v)
			require.NoError(w, err)
			ids = append(ids, id)
			res, err := c.Txn(w.Context(), etcd.Txn{
				If:   []etcd.Cmp{etcd.Missing(etcd.Key("order"))},
				Then: []etcd.Op{etcd.Put("order", []byte(v)), op},
			})
			require.NoError(w, err)
			require.Equal(w, i == 0, res.Succeeded)
		}
		d := n.takeOne()
		require.Equal(w, ids[0], d.ID)
		require.NoError(w, d.Ack(w.Context()))
		n.none(time.Minute)
		w.empty()
	})
}

func TestOutboxJobsComeInCommitOrderAndTheDelayedWhenDue(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		for _, v := range numbered(450) {
			_, op, err := q.EnqueueOp(v)
			require.NoError(w, err)
			_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
		}
		_, op, err := q.EnqueueOp("delayed", queue.Delay(time.Minute))
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		start := time.Now()
		n := w.node()
		ds := n.take(450)
		require.Equal(w, numbered(450), values(ds))
		w.ackAll(ds)
		d := n.takeOne()
		require.Equal(w, "delayed", d.Value)
		require.GreaterOrEqual(w, time.Since(start), time.Minute-time.Second)
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

// What was removed since the last compaction does not slow anybody down who does
// not read where it was.
func TestOutboxJobsAreBroughtIntoTheQueueWithoutAScan(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		var scans atomic.Int64
		w.srv.Inject(etcdtest.Fault{Match: func(r *etcdtest.Request) bool {
			if r.Path == "/v3/kv/range" && r.Key() == data+"inbox/" {
				scans.Add(1)
			}
			return false
		}})
		outbox := func(v string) {
			_, op, err := q.EnqueueOp(v)
			require.NoError(w, err)
			_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
		}
		for range 100 {
			outbox("x")
			require.NoError(w, n.takeOne().Ack(w.Context()))
		}
		require.Zero(w, scans.Load())

		// More than it can keep in mind comes while a promotion is under way.
		hold := make(chan struct{})
		w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: hold, Match: enqueues})
		for _, v := range numbered(5500) {
			outbox(v)
		}
		w.settle()
		// The watch shows that the last are gone before the promoter is told.
		w.srv.Inject(etcdtest.Fault{Path: txnPath, DelayReply: time.Millisecond, Match: enqueues})
		close(hold)
		ds := n.take(5500)
		require.Equal(w, numbered(5500), values(ds))
		require.NoError(w, n.Ack(w.Context(), ds...))
		time.Sleep(time.Second)
		require.Positive(w, scans.Load())
		require.Less(w, scans.Load(), int64(5))
		before := scans.Load()
		outbox("x")
		require.NoError(w, n.takeOne().Ack(w.Context()))
		require.Equal(w, before, scans.Load(), "it knows all again")
		w.empty()
	})
}

// The payloads of outbox jobs travel to those who watch the inbox.
func TestThreeConsumersWatchTheInboxWhoeverDies(t *testing.T) {
	inBubbles(t, func(w *world) {
		var nodes []*node
		for range 8 {
			nodes = append(nodes, w.node())
		}
		require.Equal(w, 2*8+3, w.srv.Watches(), "two each, and three more")
		nodes[0].die()
		nodes[1].die()
		w.settle()
		time.Sleep(time.Second)
		require.Equal(w, 2*6+3, w.srv.Watches())
		q := w.queue()
		_, op, err := q.EnqueueOp("x")
		require.NoError(w, err)
		_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(w, err)
		require.NoError(w, nodes[7].takeOne().Ack(w.Context()))
	})
}

func TestLargeOutboxJobsAreReadInPortionsThatFitAReply(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		for range 8 {
			_, op, err := q.EnqueueOp(strings.Repeat("x", 900_000))
			require.NoError(w, err)
			_, err = q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
		}
		c := w.client(func(cfg *etcd.Config) { cfg.MaxReplyBytes = 4 << 20 })
		n := w.nodeOf(c, w.session(c))
		for range 8 {
			ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
			ds, err := n.Receive(ctx, 1)
			cancel()
			require.NoError(w, err)
			require.NoError(w, n.Ack(w.Context(), ds...))
		}
		w.empty()
	})
}

package queue

import (
	"context"

	"github.com/quorate/quorate/etcd"
)

// Where several processes add jobs as fast as they can, each batch would meet
// those of the others: most attempts would fail, and cost etcd as much as those
// that succeed. So processes add in rows of batches, see internal/pace. Who is
// refused because the tail has moved rings, by writing a key that successful
// batches read. Who has added a whole row and met nobody leaves that out, which is a
// twentieth of a small batch's time: a refusal tells it that it is not alone, and
// it rings with the next.

// rowLength is how many batches a process adds in a row where others wait.
const rowLength = 16

// awaitTurn waits until it is time to add something. What goes wrong here meets
// the batch as well.
func (q *core) awaitTurn(ctx context.Context) {
	tail, _ := q.cursors()
	last := tail.mod
	_ = q.rows.Ready(ctx, func(ctx context.Context) (same bool, err error) {
		res, err := q.c.Get(ctx, etcd.Key(q.keys.tail()))
		if err != nil {
			return false, err
		}
		kv, there := res.First()
		tail, err := q.sawTail(kv, there)
		same, last = tail.mod == last, tail.mod
		return same, err
	})
}

// contended reports whether somebody else has added something during our last row
// of batches, as far as the tail tells on which the next is composed, and counts
// that one. The caller holds the mutex.
func (q *core) contended(on cursorKV) bool {
	if len(on.By) > 0 && !isOf(on.By[0], q.producer) {
		q.alone = 0
	}
	q.alone++
	return q.alone <= rowLength
}

// rung gives the revision at which another process was refused last.
func (q *core) rung(res *etcd.GetResult) int64 {
	kv, ok := res.First()
	if !ok || string(kv.Value) == q.producer {
		return 0
	}
	return kv.ModRevision
}

// rungBefore is rung of the answer to one's own ring, if b was to ring.
func (q *core) rungBefore(b *batch, res *etcd.TxnResult) int64 {
	if !b.rings {
		return 0
	}
	ring := res.Results[len(res.Results)-1].Txn
	if len(ring.Results) == 0 { // the server contradicts itself
		return 0
	}
	return q.rung(ring.Results[0].Get)
}

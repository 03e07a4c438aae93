package queue

import (
	"context"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
)

// cancel removes a job that nobody is at work on.
func (q *core) cancel(ctx context.Context, id string) error {
	return again(ctx, func() error {
		j, err := q.get(ctx, id)
		if err != nil {
			return err
		}
		return q.remove(ctx, j)
	})
}

// remove removes a job as it was read: errMoved if it is not there as read any
// more.
func (q *core) remove(ctx context.Context, j Job) error {
	if j.State == Claimed {
		return ErrClaimed
	}
	key := etcd.Key(j.key)
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, j.mod)},
		Then: append([]etcd.Op{etcd.Delete(key)}, q.leftBehind(&j)...),
		Else: []etcd.Op{etcd.Get(key)},
	}
	p, pos, inLog := q.keys.position(j.key)
	if inLog {
		// It must not be claimed in the same moment: what a claim of it would
		// change is compared.
		s, err := q.look(ctx)
		if err != nil {
			return err
		}
		switch h, ok := s.holder(p, pos); {
		case ok && h.consumer != "":
			return ErrClaimed
		case ok:
			t.If = append(t.If, etcd.IfModRevision(etcd.Key(h.key), etcd.Equal, h.mod))
		case pos < s.head.Next[p]:
			return errMoved // claimed since it was read
		default:
			t.If = append(t.If, etcd.IfModRevision(etcd.Key(q.keys.head()), etcd.Equal, s.head.mod))
		}
	}
	var try attempts
	res, err, _ := try.send(ctx, q.c, t)
	if err != nil || res.Succeeded {
		return err
	}
	if kv, there := res.Results[0].Get.First(); there && kv.ModRevision == j.mod || !try.doubt() {
		return errMoved
	}
	// Gone, or another job's: by the attempt without an answer, or by a claim and
	// an ack, or a promotion, that came between.
	if inLog {
		if s, err := q.look(ctx); err == nil && pos >= s.head.Next[p] {
			return nil // never claimed
		}
	}
	return &etcd.Error{Op: "cancel", On: j.key, Err: try.err, Unknown: true}
}

// leftBehind is what goes with a job that is removed: its place in the index, and
// its unique key if it has that still.
func (q *core) leftBehind(j *Job) (ops []etcd.Op) {
	if j.State == Delayed || j.State == Dead {
		at := etcd.Key(q.keys.at(j.ID))
		ops = append(ops, etcd.Nest(etcd.Txn{
			If:   []etcd.Cmp{etcd.IfValue(at, etcd.Equal, []byte(j.key))},
			Then: []etcd.Op{etcd.Delete(at)},
		}))
	}
	if j.Unique == "" || j.State == Dead {
		return ops // a dead letter has given it back
	}
	if segment, err := names.Escape(j.Unique); err == nil {
		ops = append(ops, q.releaseUnique(&envelope{ID: j.ID, Unique: segment, UniqueUntil: j.uniqueUntil})...)
	}
	return ops
}

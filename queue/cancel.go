package queue

import (
	"context"
	"errors"

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
	on := int64(0) // the head's revision that is compared
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
			on = s.head.mod
			t.If = append(t.If, etcd.IfModRevision(etcd.Key(q.keys.head()), etcd.Equal, on))
			t.Else = append(t.Else, etcd.Get(etcd.Key(q.keys.head())))
		}
	}
	var try attempts
	for {
		res, err, _ := try.send(ctx, q.c, t)
		if err != nil || res.Succeeded {
			return err
		}
		switch kv, there := res.Results[0].Get.First(); {
		case there && kv.ModRevision == j.mod && len(res.Results) > 1:
			// The head moved, as it does all the time in a queue that is busy. No
			// attempt for the old one can arrive any more.
			headKV, ok := res.Results[1].Get.First()
			head, err := q.sawHead(headKV, ok)
			if err != nil {
				return err
			}
			switch {
			case pos < head.Next[p]:
				return errMoved // claimed
			case head.mod == on:
				return contradiction(j.key)
			}
			on = head.mod
			t.If[len(t.If)-1] = etcd.IfModRevision(etcd.Key(q.keys.head()), etcd.Equal, head.mod)
		case there && kv.ModRevision == j.mod || !try.doubt():
			return errMoved
		default:
			return q.howRemoved(ctx, j, try.err)
		}
	}
}

// howRemoved finds out how a job went away that we tried to remove without an
// answer: nil if it was removed, by us or by somebody who wanted the same;
// errMoved if it went to another place; ErrNotFound if a consumer has done it.
func (q *core) howRemoved(ctx context.Context, j Job, lost error) error {
	open := func(err error) error {
		return &etcd.Error{Op: "resolve", On: j.key, Err: errors.Join(lost, err), Unknown: true}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	w, err := q.c.Watch(ctx, etcd.Key(j.key), etcd.FromRevision(j.mod+1), etcd.DeletesOnly())
	if err != nil {
		return open(err)
	}
	defer w.Close()
	evs, err := w.Next(ctx)
	if err != nil {
		return open(err)
	}
	rev := evs.Events[0].KV.ModRevision
	tail, err := q.c.Get(ctx, etcd.Key(q.keys.tail()), etcd.WithRevision(rev), etcd.KeysOnly())
	if err != nil {
		return open(err)
	}
	p, pos, inLog := q.keys.position(j.key)
	if kv, ok := tail.First(); !inLog && ok && kv.ModRevision == rev {
		return errMoved // with the tail: brought into the log
	}
	if !inLog {
		return nil
	}
	for kv, err := range q.c.List(ctx, etcd.Prefix(q.keys.claims()), etcd.ListAt(rev-1)) {
		if err != nil {
			return open(err)
		}
		if rec, err := decodeRecord(kv.Key, kv.Value); err == nil && rec.Priority == p && rec.holds(pos) {
			return ErrNotFound
		}
	}
	return nil
}

// removed finds out what became of jobs that we tried to remove, all at once,
// without an answer: how many were removed, which are there still as they were
// read, and whether some went to another place.
func (q *core) removed(ctx context.Context, js []Job, lost error) (n int, left []Job, moved bool, err error) {
	gets := make([]etcd.Op, len(js))
	for i := range js {
		gets[i] = etcd.Get(etcd.Key(js[i].key), etcd.KeysOnly())
	}
	var gone []Job
	err = q.getMany(ctx, gets, func(i int, r *etcd.GetResult) {
		switch kv, there := r.First(); {
		case !there:
			gone = append(gone, js[i])
		case kv.ModRevision == js[i].mod:
			left = append(left, js[i])
		default:
			moved = true // it was put there anew
		}
	})
	for _, j := range gone {
		if err != nil {
			break
		}
		switch how := q.howRemoved(ctx, j, lost); {
		case how == nil:
			n++
		case errors.Is(how, errMoved):
			moved = true
		case !errors.Is(how, ErrNotFound):
			err = how
		}
	}
	return n, left, moved, err
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

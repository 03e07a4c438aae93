package queue

import (
	"context"
	"time"

	"github.com/quorate/quorate/etcd"
)

// Jobs that are cancelled leave holes behind the head. Where a claim has found
// nothing at all, the next one looks where there is something, and jumps there:
// few at a time, it would have to make its way through all of it.

// maxJump is how many positions are looked at in one request.
const maxJump = 50_000

// nextJob finds the position of the first job of a run. It looks at no more than
// maxJump positions: where there is none among these, it gives what follows them.
// Positions are never filled again, so what was a hole stays one.
func (q *core) nextJob(ctx context.Context, p int, r run) (pos int64, there bool, err error) {
	r[1] = min(r[1], r[0]+maxJump)
	if r.len() <= 0 {
		return r[0], false, nil
	}
	set := q.keys.span(p, r)
	res, err := q.c.Get(ctx, set, etcd.WithLimit(1), etcd.KeysOnly())
	if err == nil {
		err = onlyOf(set, res.KVs)
	}
	if err != nil {
		return r[0], false, err
	}
	kv, ok := res.First()
	if !ok {
		return r[1], false, nil
	}
	if _, pos, ok = q.keys.position(kv.Key); !ok { // somebody else's
		return q.keys.behind(kv.Key), false, nil
	}
	return pos, true, nil
}

// skip moves the head on to a position in front of which there is nothing.
func (c *consumer) skip(ctx context.Context, head cursorKV, p int, to int64) error {
	if to <= head.Next[p] {
		return nil
	}
	next, key := head, etcd.Key(c.q.keys.head())
	next.Next[p] = to
	res, err := c.q.c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, head.mod)},
		Then: []etcd.Op{etcd.Put(c.q.keys.head(), next.encode(time.Now()))},
		Else: []etcd.Op{etcd.Get(key)},
	}, etcd.Alone())
	if err != nil {
		return err // repeated with the head as it is then
	}
	if res.Succeeded {
		c.q.movedHead(next, res.Header.Revision)
		return nil
	}
	kv, there := res.Results[0].Get.First()
	_, err = c.q.sawHead(kv, there)
	return err
}

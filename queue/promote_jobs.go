package queue

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"

	"github.com/quorate/quorate/etcd"
)

// promote moves jobs to the log, or below later/ where they are to wait. Those
// that somebody else was first to move are passed over; what cannot be read
// becomes a dead letter. What is too large to be moved stays where it is, so that
// it does not hold up those behind it: promote tells how many that were.
func (q *core) promote(ctx context.Context, kvs []etcd.KV, indexed bool) (left int, err error) {
	var us []*unit
	var others []unread
	for _, kv := range kvs {
		env, err := decodeEnvelope(kv.Value)
		if err != nil {
			others = append(others, unread{kv, err})
			continue
		}
		us = append(us, q.moving(kv, env, indexed))
	}
	for i, err := range q.out.doAll(ctx, us) {
		if errors.Is(err, etcd.ErrTooLarge) && len(us) > 1 {
			err = q.out.do(ctx, us[i]) // others were to blame, perhaps
		}
		switch {
		case errors.Is(err, etcd.ErrTooLarge):
			q.leaveAlone(us[i].from.Key, err)
			left++
		case err != nil && !errors.Is(err, errMoved):
			return left, full(err)
		}
	}
	n, err := q.buryKeys(ctx, others)
	return left + n, err
}

func (q *core) leaveAlone(key string, err error) {
	q.log.Error("queue leaves a key alone that cannot be moved", "queue", q.name, "key", key, "error", err)
}

// unread is a key that holds no job.
type unread struct {
	kv    etcd.KV
	cause error
}

// buryPage is how many keys are made dead letters in one commit.
const buryPage = 30

// buryKeys makes dead letters of what cannot be read, many in a commit. All its
// bytes are kept. It tells how many are too large for that, and stay.
func (q *core) buryKeys(ctx context.Context, all []unread) (left int, err error) {
	for len(all) > 0 {
		var t etcd.Txn
		bytes := 0
		for _, u := range all {
			bytes += 6*len(u.kv.Key) + len(u.kv.Value) + maxNote
			if n := len(t.Then); n == buryPage || n > 0 && bytes > MaxJobBytes {
				break
			}
			t.Then = append(t.Then, etcd.Nest(q.burying(u)))
		}
		_, err := q.c.Txn(ctx, t)
		if errors.Is(err, etcd.ErrTooLarge) && len(t.Then) == 1 {
			q.leaveAlone(all[0].kv.Key, err)
			left++
		} else if err != nil {
			return left, full(err)
		}
		all = all[len(t.Then):]
	}
	return left, nil
}

// burying makes the transaction that makes a dead letter of a key, if it is as it
// was read.
func (q *core) burying(u unread) etcd.Txn {
	kv := u.kv
	env := unreadable(0, kv.ModRevision, kv, u.cause)
	h := fnv.New64a()
	_, _ = h.Write([]byte(kv.Key))                    // never fails
	env.ID += "-" + strconv.FormatUint(h.Sum64(), 16) // others were put at the same revision, perhaps
	env.die("key "+kv.Key+": "+u.cause.Error(), byUnreadable)
	key := q.keys.dead(env.Died, env.ID)
	return etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(etcd.Key(kv.Key), etcd.Equal, kv.ModRevision)},
		Then: []etcd.Op{etcd.Delete(etcd.Key(kv.Key)), etcd.Put(key, env.encode()), etcd.Put(q.keys.at(env.ID), []byte(key))},
	}
}

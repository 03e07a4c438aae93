package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
)

// chores are what one consumer does every minute for all.
func (c *consumer) chores(ctx context.Context) error {
	now := time.Now()
	c.mu.Lock()
	c.minute = now.Unix() / 60
	c.mu.Unlock()
	err := errors.Join(c.q.closeWindows(ctx, now), c.q.goOnPurging(ctx))
	if c.q.retention > 0 {
		_, rerr := c.q.purgeDead(ctx, selector{before: now.Add(-c.q.retention)})
		err = errors.Join(err, rerr)
	}
	return err
}

// closeWindows frees the unique keys whose windows are over.
func (q *core) closeWindows(ctx context.Context, now time.Time) error {
	const few = 30
	for {
		res, err := q.c.Get(ctx, upTo(q.keys.windows(), 0, now.UnixMilli()), etcd.WithLimit(few))
		if err != nil || len(res.KVs) == 0 {
			return err
		}
		var t etcd.Txn
		for _, kv := range res.KVs {
			t.Then = append(t.Then, etcd.Delete(etcd.Key(kv.Key)))
			until, ok := timeOf(q.keys.windows(), kv.Key)
			name := strings.TrimPrefix(kv.Key, q.keys.windows())
			unique := string(kv.Value)
			if !ok || len(name) < 18 || !strings.HasPrefix(unique, q.keys.unique("")) {
				continue
			}
			env := envelope{ID: name[17:], UniqueUntil: until}
			t.Then = append(t.Then, etcd.Nest(etcd.Txn{
				If:   []etcd.Cmp{etcd.IfValue(etcd.Key(unique), etcd.Equal, env.uniqueValue())},
				Then: []etcd.Op{etcd.Delete(etcd.Key(unique))},
			}))
		}
		if _, err := q.c.Txn(ctx, t); err != nil {
			return err
		}
	}
}

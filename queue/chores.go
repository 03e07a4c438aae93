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

// closeWindows removes unique keys whose windows are over. They block nobody any
// more, and only take room.
func (q *core) closeWindows(ctx context.Context, now time.Time) error {
	const few = 30
	var t etcd.Txn
	send := func() error {
		_, err := q.c.Txn(ctx, t)
		t.Then = nil
		return err
	}
	for kv, err := range q.c.List(ctx, upTo(q.keys.windows(), 0, now.UnixMilli())) {
		if err != nil {
			return err
		}
		unique := string(kv.Value)
		_, id, ok := strings.Cut(strings.TrimPrefix(kv.Key, q.keys.windows()), "-")
		if !ok || !strings.HasPrefix(unique, q.keys.uniques()) {
			continue // somebody else's
		}
		t.Then = append(t.Then, etcd.Delete(etcd.Key(kv.Key)), etcd.Nest(etcd.Txn{
			If:   []etcd.Cmp{etcd.IfValue(etcd.Key(unique), etcd.Equal, []byte(id))},
			Then: []etcd.Op{etcd.Delete(etcd.Key(unique))},
		}))
		if len(t.Then) >= 2*few {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(t.Then) == 0 {
		return nil
	}
	return send()
}

package queue

import (
	"context"
	"slices"
	"time"

	"github.com/quorate/quorate/etcd"
)

// watchers is how many consumers watch the inbox, the oldest ones: its jobs'
// payloads travel through the watch.
const watchers = 3

// followInbox notices jobs that callers have put into their own transactions,
// as soon and as long as the consumer is one of those who watch.
func (c *consumer) followInbox(ctx context.Context) error {
	for {
		c.mu.Lock()
		i := slices.IndexFunc(c.view.alive, func(a alive) bool { return a.id == c.id })
		changed := c.changed
		c.mu.Unlock()
		if i >= 0 && i < watchers {
			return c.watchInbox(ctx) // nobody older can come
		}
		await(ctx, changed, time.Time{})
		if err := ctxErr(ctx); err != nil {
			return err
		}
	}
}

func (c *consumer) watchInbox(ctx context.Context) error {
	prefix := c.q.keys.inbox()
	w, err := c.q.c.Watch(ctx, etcd.Prefix(prefix))
	if err != nil {
		return err
	}
	defer w.Close()
	res, err := c.q.c.Get(ctx, etcd.Prefix(prefix), etcd.CountOnly())
	if err != nil {
		return err
	}
	read := res.Header.Revision
	c.mu.Lock()
	c.view.inbox.n, c.view.inbox.put = res.Count, spot{rev: read, seen: time.Now()}
	c.touch()
	c.mu.Unlock()
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		v := &c.view.inbox
		for _, ev := range batch.Events {
			switch {
			case ev.KV.ModRevision <= read: // in what was counted
			case ev.Type == etcd.EventDelete:
				v.n--
			case ev.IsCreate():
				v.n++
				v.put = spot{rev: ev.KV.ModRevision, seen: time.Now()}
			}
		}
		c.touch()
		c.mu.Unlock()
	}
}

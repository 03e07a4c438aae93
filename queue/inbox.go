package queue

import (
	"context"
	"slices"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
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
		if err := pace.Over(ctx); err != nil {
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
	c.view.inbox.counted(res.Count, spot{rev: read, seen: time.Now()})
	c.touch()
	c.mu.Unlock()
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, ev := range batch.Events {
			if ev.KV.ModRevision > read { // otherwise it was counted
				c.view.inbox.see(ev.KV, ev.Type == etcd.EventDelete, spot{rev: ev.KV.ModRevision, seen: time.Now()})
			}
		}
		c.touch()
		c.mu.Unlock()
	}
}

// promoteInbox brings jobs of callers' own transactions into the log, in the
// order of their commits: some that the watch has shown or, as long as there are
// others, those that a listing shows. It is offered again as long as there are
// more.
func (c *consumer) promoteInbox(ctx context.Context) error {
	c.mu.Lock()
	complete, kvs := c.view.inbox.complete(), c.view.inbox.first(promotePage)
	c.dueNext = true
	c.mu.Unlock()
	if !complete {
		return c.emptyInbox(ctx)
	}
	if len(kvs) == 0 {
		return nil
	}
	if _, err := c.q.promote(ctx, kvs, false); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.inbox.moved(kvs)
	return nil
}

// emptyInbox brings into the log what a listing shows. It is called again until one
// shows nothing but what cannot be moved: from then on the watch shows all that
// there is beside that.
func (c *consumer) emptyInbox(ctx context.Context) error {
	inbox := etcd.Prefix(c.q.keys.inbox())
	res, err := c.q.c.Get(ctx, inbox, etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending), etcd.WithLimit(maxInbox), etcd.KeysOnly())
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.view.inbox.more = true
	c.mu.Unlock()
	left := 0
	for part := range slices.Chunk(res.KVs, promotePage) {
		kvs, err := c.q.values(ctx, part)
		if err != nil {
			return err
		}
		n, err := c.q.promote(ctx, kvs, false)
		if left += n; err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if left == len(res.KVs) {
		c.view.inbox.more = false
		c.view.inbox.emptied(res.Header.Revision)
	}
	return nil
}

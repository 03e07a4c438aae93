package queue

import (
	"context"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
)

// followControl keeps the view up to date.
func (c *consumer) followControl(ctx context.Context) error {
	k := c.q.keys
	w, err := c.q.c.Watch(ctx, etcd.Prefix(k.control()))
	if err != nil {
		return err
	}
	defer w.Close()
	res, err := c.q.c.Txn(ctx, etcd.Txn{Then: []etcd.Op{
		etcd.Get(etcd.Prefix(k.control())),
		etcd.Get(etcd.Prefix(k.claims()), etcd.KeysOnly()),
		etcd.Get(upTo(k.laters(), 0, never), etcd.WithLimit(1), etcd.KeysOnly()),
	}})
	if err != nil {
		return err
	}
	read := res.Header.Revision
	if err := c.takeIn(res); err != nil {
		return err
	}
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, ev := range batch.Events {
			if ev.KV.ModRevision <= read {
				continue // in what was read
			}
			if err = c.seeControl(ev.KV, ev.Type == etcd.EventDelete); err != nil {
				break
			}
		}
		c.touch()
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// takeIn makes the view of what was read at one revision.
func (c *consumer) takeIn(res *etcd.TxnResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.touch()
	k, v := c.q.keys, &c.view
	gone := v.gone
	v.reset()
	v.gone = gone
	there := map[string]bool{}
	for _, kv := range res.Results[0].Get.KVs {
		there[kv.Key] = true
		if err := c.seeControl(kv, false); err != nil {
			return err
		}
	}
	v.pausedRev = res.Header.Revision // whether it is there or not
	for _, key := range []string{k.tail(), k.head()} {
		if !there[key] {
			return damaged(key, "is missing")
		}
	}
	if c.created != 0 && !there[k.consumer(c.id)] && !c.stopping {
		return ErrConsumerGone
	}
	for _, kv := range res.Results[1].Get.KVs {
		id, _, _ := strings.Cut(strings.TrimPrefix(kv.Key, k.claims()), "/")
		if _, known := v.gone[id]; !known && !there[k.consumer(id)] {
			v.gone[id] = spot{rev: res.Header.Revision, seen: time.Now()}
		}
	}
	v.dueRev, v.soon, v.nextDue = res.Header.Revision, nil, never
	if kv, ok := res.Results[2].Get.First(); ok {
		v.nextDue = timeOf(k.laters(), kv.Key)
	}
	v.listed = true
	return nil
}

// followOwn watches the consumer's own claim records: one that it does not know
// is of a claim whose reply was lost, one that goes was taken away.
func (c *consumer) followOwn(ctx context.Context) error {
	prefix := c.q.keys.claimsOf(c.id)
	w, err := c.q.c.Watch(ctx, etcd.Prefix(prefix))
	if err != nil {
		return err
	}
	defer w.Close()
	res, err := c.q.c.Get(ctx, etcd.Prefix(prefix))
	if err != nil {
		return err
	}
	c.mu.Lock()
	there := map[int64]bool{}
	for _, kv := range res.KVs {
		if n, ok := claimNumber(kv.Key); ok {
			there[n] = true
			c.records[n] = kv
		}
	}
	c.ownRev = max(c.ownRev, res.Header.Revision)
	clear(c.ended)
	for n, kv := range c.records {
		if !there[n] && kv.ModRevision <= res.Header.Revision {
			delete(c.records, n)
		}
	}
	for n, cl := range c.claims {
		if !there[n] && cl.token <= res.Header.Revision {
			c.ownGone(n)
		}
	}
	c.touch()
	c.mu.Unlock()
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, ev := range batch.Events {
			n, ok := claimNumber(ev.KV.Key)
			if !ok || ev.KV.ModRevision <= res.Header.Revision {
				continue
			}
			if ev.Type == etcd.EventDelete {
				c.ownGone(n)
			} else {
				c.records[n] = ev.KV
			}
			c.ownRev = max(c.ownRev, ev.KV.ModRevision)
		}
		c.touch()
		c.mu.Unlock()
	}
}

// ownGone takes in that a claim record of ours was deleted. The caller holds the
// mutex.
func (c *consumer) ownGone(n int64) {
	delete(c.records, n)
	delete(c.ended, n)
	if cl := c.claims[n]; cl != nil {
		if cl.gone = true; !cl.closing {
			c.drop(cl, ErrClaimLost)
		}
	}
}

// drop ends a claim that is not ours any more. The caller holds the mutex.
func (c *consumer) drop(cl *claim, cause error) {
	if cl.over {
		return
	}
	cl.over = true
	delete(c.claims, cl.n)
	cl.end(cause)
	c.freeSlot(cl)
	kept := c.buf[:0]
	for _, d := range c.buf {
		if d.claim != cl {
			kept = append(kept, d)
		}
	}
	clear(c.buf[len(kept):])
	c.buf = kept
}

package queue

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// promotePage is how many jobs are brought into the log at a time.
const promotePage = 200

// promoteDue brings jobs into the log whose time has come, in the order of their
// times: one page, or where that was the last, it tells all when to look again.
// It is offered again as long as it has not.
func (c *consumer) promoteDue(ctx context.Context) error {
	k, at := c.q.keys, &c.due
	c.mu.Lock()
	v := &c.view
	from := v.nextDue
	if from == never {
		*at = dueSearch{} // somebody else has looked
	} else {
		at.begin(k, from, v.dueRev, v.written, time.Now().UnixMilli())
		v.written = never
	}
	c.dueNext = false
	c.mu.Unlock()
	if from == never {
		return nil
	}
	if set, last := at.next(k); !last {
		kvs, err := c.q.page(ctx, set)
		if err != nil {
			return err
		}
		if _, err := c.q.promote(ctx, kvs, true); err != nil {
			return err
		}
		at.looked(kvs)
		return nil
	}
	from = max(from, at.until+1)
	d, soon, err := c.q.firstDue(ctx, from)
	if err != nil {
		return err
	}
	// Of a due time that was written meanwhile, and is before from, the watch is to
	// tell first.
	if err := c.hear(ctx, soon); err != nil {
		return err
	}
	if !c.looked(at, d, soon, from) {
		return nil
	}
	val, _ := json.Marshal(d)           // always marshals
	_, _ = c.q.c.Put(ctx, k.due(), val) // where that fails the others look for themselves
	return nil
}

// hear waits until the watch has told of the due time written at a revision, but
// no longer than a second.
func (c *consumer) hear(ctx context.Context, rev int64) error {
	until := time.Now().Add(time.Second)
	for time.Now().Before(until) {
		c.mu.Lock()
		heard, changed := c.view.soonRev >= rev, c.changed
		c.mu.Unlock()
		if heard {
			return nil
		}
		await(ctx, changed, until)
		if err := pace.Over(ctx); err != nil {
			return err
		}
	}
	return nil
}

// looked takes in what was found behind a search, and that it is over, unless what
// it went by has changed: it is false then. All due times from from on that were
// written up to soon are in what was found.
func (c *consumer) looked(at *dueSearch, d dueValue, soon, from int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := &c.view
	if v.soonRev < soon || v.written < from || v.dueRev != at.told {
		return false
	}
	*at = dueSearch{}
	v.setDue(d)
	return true
}

// firstDue finds the first due time from on, and the revision of the last time
// that was written. It looks a second ahead, then ten minutes, then all the way,
// because the server counts all keys of the range it is asked about.
func (q *core) firstDue(ctx context.Context, from int64) (dueValue, int64, error) {
	for _, to := range []int64{from + 1000, from + 600_000} {
		d, soon, err := q.firstWithin(ctx, from, to)
		if err != nil || d.Next != never {
			return d, soon, err
		}
	}
	return q.firstWithin(ctx, from, never)
}

func (q *core) firstWithin(ctx context.Context, from, to int64) (dueValue, int64, error) {
	set := upTo(q.keys.laters(), from, to)
	res, err := q.c.Txn(ctx, etcd.Txn{Then: []etcd.Op{
		etcd.Get(set, etcd.WithLimit(1), etcd.KeysOnly()),
		etcd.Get(etcd.Key(q.keys.soon()), etcd.KeysOnly()),
	}})
	if err != nil {
		return dueValue{}, 0, err
	}
	if err := onlyOf(set, res.Results[0].Get.KVs); err != nil {
		return dueValue{}, 0, err
	}
	d := dueValue{Next: never, Rev: res.Header.Revision}
	if kv, ok := res.Results[0].Get.First(); ok {
		d.Next = timeOf(q.keys.laters(), kv.Key)
	}
	soon, _ := res.Results[1].Get.First()
	return d, soon.ModRevision, nil
}

// moving makes the unit that moves a job from kv to where it belongs.
func (q *core) moving(kv etcd.KV, env *envelope, indexed bool) *unit {
	u := &unit{jobs: []envelope{*env}, from: &kv, bytes: q.estimate(env)}
	if indexed {
		u.along = []string{q.keys.at(env.ID)}
	}
	u.measure()
	return u
}

// page reads the first of a set, fewer if they are too large.
func (q *core) page(ctx context.Context, set etcd.KeySet) ([]etcd.KV, error) {
	for limit := int64(promotePage); ; limit = limit/8 + 1 {
		res, err := q.c.Get(ctx, set, etcd.WithLimit(limit))
		if err == nil {
			return res.KVs, onlyOf(set, res.KVs)
		}
		if !errors.Is(err, etcd.ErrBadReply) || limit == 1 {
			return nil, err
		}
	}
}

// values reads the values of keys, a few at a time, and leaves out those that
// are gone.
func (q *core) values(ctx context.Context, keys []etcd.KV) (out []etcd.KV, err error) {
	few := 16
	for len(keys) > 0 {
		n := min(len(keys), few)
		var t etcd.Txn
		for _, kv := range keys[:n] {
			t.Then = append(t.Then, etcd.Get(etcd.Key(kv.Key)))
		}
		res, err := q.c.Txn(ctx, t)
		if errors.Is(err, etcd.ErrBadReply) && n > 1 { // too large at once
			few = max(n/4, 1)
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = keys[n:]
		for _, r := range res.Results {
			if kv, ok := r.Get.First(); ok {
				out = append(out, kv)
			}
		}
	}
	return out, nil
}

package queue

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// claimHead claims jobs from the log.
func (c *consumer) claimHead(ctx context.Context, pl plan) error {
	tail, head := c.q.cursors()
	from := head.Next[pl.p]
	if c.hole {
		jump, there, err := c.q.nextJob(ctx, pl.p, run{from, tail.Next[pl.p]})
		if err != nil {
			return err
		}
		if from = jump; !there {
			return c.skip(ctx, head, pl.p, from)
		}
		pl.n = tail.Sizes.fit(pl.p, []run{{from, tail.Next[pl.p]}}, pl.n)
	}
	to := min(from+pl.n, tail.Next[pl.p])
	if to <= from {
		return nil
	}
	next := head
	next.Next[pl.p] = to
	rec := newRecord(pl.p, []run{{from, to}}, 0)
	headKey := etcd.Key(c.q.keys.head())
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(headKey, etcd.Equal, head.mod)},
		Then: []etcd.Op{etcd.Put(c.q.keys.head(), next.encode(time.Now()))},
	}
	n := c.beginClaim()
	if n == 0 {
		return nil
	}
	defer c.endClaim()
	res, err := c.tryClaim(ctx, t, n, rec)
	if err != nil {
		return err
	}
	switch {
	case res == nil:
	case res.Succeeded:
		c.q.movedHead(next, res.Header.Revision)
		c.hole = len(res.Results[3].Get.KVs) == 0
		c.hold(n, rec, res)
	default:
		kv, _ := res.Results[0].Get.First()
		if _, paused := res.Results[3].Get.First(); !paused && kv.ModRevision == head.mod {
			return contradiction(kv.Key)
		}
		c.mu.Lock()
		c.lastClaim = time.Now() // somebody else's
		c.mu.Unlock()
	}
	return nil
}

// movedHead takes in a head that was put at rev.
func (q *core) movedHead(next cursorKV, rev int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if rev > q.head.mod {
		next.mod = rev
		q.head = next
	}
}

// claimFree claims from a record without an owner: as much as fits, or one job
// alone if it is suspect.
func (c *consumer) claimFree(ctx context.Context, pl plan) error {
	rec := pl.spot.rec
	first, rest := cut(rec.Runs, pl.n)
	if len(first) > maxRuns {
		first, rest = rec.Runs[:maxRuns], rec.Runs[maxRuns:]
	}
	if pl.suspect {
		if !c.suspect.take(c) {
			return nil
		}
		var err error
		if first, rest, err = c.firstOf(ctx, rec); err != nil {
			c.suspect.release(c)
			return err
		}
	}
	free := etcd.Key(pl.free)
	t := etcd.Txn{If: []etcd.Cmp{etcd.IfModRevision(free, etcd.Equal, pl.spot.rev)}}
	if left := rec; len(rest) > 0 {
		left.Runs = rest
		t.Then = []etcd.Op{etcd.Put(pl.free, left.encode())}
	} else {
		t.Then = []etcd.Op{etcd.Delete(free)}
	}
	if len(first) == 0 { // nothing is left of it
		return c.sweepFree(ctx, pl, t)
	}
	mine := newRecord(rec.Priority, first, rec.Crashes)
	mine.Alone = pl.suspect
	n := c.beginClaim()
	if n == 0 {
		if pl.suspect {
			c.suspect.release(c)
		}
		return nil
	}
	defer c.endClaim()
	res, err := c.tryClaim(ctx, t, n, mine)
	if err == nil && res != nil && res.Succeeded {
		c.seeFree(pl, rest, res.Header.Revision)
		c.hold(n, mine, res)
		return nil
	}
	if pl.suspect {
		c.suspect.release(c)
	}
	if err == nil && res != nil {
		if _, paused := res.Results[3].Get.First(); !paused { // somebody else was there
			c.forgetFree(pl)
		}
	}
	return err
}

// firstOf finds the first job that is left in a record.
func (c *consumer) firstOf(ctx context.Context, rec record) (first, rest []run, err error) {
	for i, r := range rec.Runs {
		for r.len() > 0 {
			pos, there, err := c.q.nextJob(ctx, rec.Priority, r)
			if err != nil {
				return nil, nil, err
			}
			if r[0] = pos; !there {
				continue
			}
			if pos+1 < r[1] {
				rest = []run{{pos + 1, r[1]}}
			}
			return []run{{pos, pos + 1}}, append(rest, rec.Runs[i+1:]...), nil
		}
	}
	return nil, nil, nil
}

// sweepFree removes a record of which nothing is left. Jobs never come back to
// positions, so nothing has to be compared but the record.
func (c *consumer) sweepFree(ctx context.Context, pl plan, t etcd.Txn) error {
	c.suspect.release(c)
	_, err := c.q.c.Txn(ctx, t)
	if err == nil {
		c.forgetFree(pl)
	}
	return err
}

// forgetFree takes a record out of the view that is not as it was; the watch
// tells what became of it.
func (c *consumer) forgetFree(pl plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.view.free[pl.free]; ok && s.rev == pl.spot.rev {
		delete(c.view.free, pl.free)
	}
}

// seeFree takes in what we made of a record at rev.
func (c *consumer) seeFree(pl plan, rest []run, rev int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.view.free[pl.free]
	if !ok || s.rev > rev {
		return
	}
	if len(rest) == 0 {
		delete(c.view.free, pl.free)
		return
	}
	s.rec.Runs, s.rev = rest, rev
	c.view.free[pl.free] = s
}

// beginClaim gives the number of the next claim, 0 if the consumer was told to
// stop since it was planned: whoever told it so waits only for a claim that was
// begun. Until endClaim its record, if the watch shows it first, is not taken for
// one whose reply was lost.
func (c *consumer) beginClaim() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return 0
	}
	c.lastN++
	c.claiming, c.begun = c.lastN, time.Now()
	return c.lastN
}

func (c *consumer) endClaim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claiming = 0
	c.touch()
}

// tryClaim completes t, which moves the head or shortens a record, to the nth
// claim, of rec, and carries it out until its outcome is known. A result of nil
// means that it was applied without us seeing the jobs; they are handed back.
func (c *consumer) tryClaim(ctx context.Context, t etcd.Txn, n int64, rec record) (*etcd.TxnResult, error) {
	k := c.q.keys
	key := k.claim(c.id, n)
	me, paused := etcd.Key(k.consumer(c.id)), etcd.Key(k.paused())
	t.If = append(t.If, etcd.Missing(paused))
	if !mutant.QueueLooseClaim {
		t.If = append(t.If, etcd.IfCreateRevision(me, etcd.Equal, c.presenceRevision()))
	}
	t.Then = append(t.Then, etcd.Put(key, rec.encode()), etcd.Get(etcd.Key(k.tail())))
	for _, r := range rec.Runs {
		t.Then = append(t.Then, etcd.Get(k.span(rec.Priority, r)))
	}
	t.Else = []etcd.Op{
		etcd.Get(etcd.Key(k.head())), etcd.Get(etcd.Key(k.tail())), etcd.Get(me), etcd.Get(paused), etcd.Get(etcd.Key(key)),
	}
	doubt := false
	var retries pace.Retries
	for {
		res, err := c.q.c.Txn(ctx, t, etcd.Alone())
		switch {
		case err == nil && res.Succeeded:
			kv, there := res.Results[2].Get.First()
			_, err = c.q.sawTail(kv, there)
			return res, err
		case err == nil:
			if kv, there := res.Results[4].Get.First(); there && doubt {
				c.mu.Lock()
				c.records[n] = kv // handed back by whoever cares for those
				c.mu.Unlock()
				return nil, nil
			}
			return res, c.refusedClaim(res)
		}
		if errors.Is(err, etcd.ErrBadReply) { // too much at once
			c.mu.Lock()
			c.limit = max(c.limit/4, 1)
			c.mu.Unlock()
		}
		doubt = doubt || errors.Is(err, etcd.ErrUnknownOutcome)
		if !doubt || !transient(err) {
			return nil, err // the watch shows a late one
		}
		if werr := retries.Wait(ctx); werr != nil {
			return nil, err
		}
	}
}

func (c *consumer) presenceRevision() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.created
}

// refusedClaim takes in why a claim was refused.
func (c *consumer) refusedClaim(res *etcd.TxnResult) error {
	kv, there := res.Results[0].Get.First()
	if _, err := c.q.sawHead(kv, there); err != nil {
		return err
	}
	kv, there = res.Results[1].Get.First()
	if _, err := c.q.sawTail(kv, there); err != nil {
		return err
	}
	if kv, there = res.Results[2].Get.First(); !there || kv.CreateRevision != c.presenceRevision() {
		return ErrConsumerGone
	}
	_, paused := res.Results[3].Get.First()
	c.mu.Lock()
	defer c.mu.Unlock()
	if res.Header.Revision > c.view.pausedRev { // otherwise the watch has shown a later state
		c.view.paused, c.view.pausedRev = paused, res.Header.Revision
	}
	return nil
}

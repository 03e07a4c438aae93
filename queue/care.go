package queue

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
)

// buryDoomed makes dead letters of jobs that cannot be delivered.
func (c *consumer) buryDoomed(ctx context.Context) error {
	c.mu.Lock()
	dooms := c.dooms // they stay there meanwhile: Close waits for them
	c.mu.Unlock()
	var failed []doom
	var last error
	ms := make([]*move, len(dooms))
	for i, d := range dooms {
		ms[i] = c.burial(d.d, d.reason, d.by, nil)
	}
	for i, err := range c.moveAll(ctx, ms) {
		switch d := dooms[i]; {
		case err == nil, errors.Is(err, ErrClaimLost), errors.Is(err, ErrSettled):
		case errors.Is(err, ErrNotFound): // there is nothing left to do of it
			c.mu.Lock()
			c.turned(d.d, doomed)
			c.mu.Unlock()
		case errors.Is(err, etcd.ErrTooLarge):
			c.leaveDoomed(d, err)
		default:
			failed, last = append(failed, d), err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dooms = append(failed, c.dooms[len(dooms):]...)
	c.touch()
	return last
}

// leaveDoomed gives up to make a dead letter of what etcd does not take as one. It
// stays in its claim until the consumer ends, and does not hold up other suspects.
func (c *consumer) leaveDoomed(d doom, err error) {
	c.q.leaveAlone(d.d.key, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freeSlot(d.d.claim)
}

// cleanPage is how many records are removed in one commit.
const cleanPage = 30

// toClean gives claims that are settled, as many as one request takes, and what
// their records hold.
func (c *consumer) toClean() (cls []*claim, rests [][]run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bytes := 0
	for _, cl := range c.finished {
		bytes += removalBytes(cl, min(len(cl.rec.Runs), maxAckGaps))
		if n := len(cls); n == cleanPage || n > 0 && bytes > MaxJobBytes {
			break
		}
		cls, rests = append(cls, cl), append(rests, cl.rec.Runs)
	}
	return cls, rests
}

// clean removes the records of claims that are settled.
func (c *consumer) clean(ctx context.Context) error {
	cls, rests := c.toClean()
	var t etcd.Txn
	var sent, around []int
	for i, cl := range cls {
		removal := c.removal(cl, rests[i])
		if len(rests[i]) > maxAckGaps { // more than one transaction can compare
			empty, err := c.q.vacant(ctx, cl.rec.Priority, rests[i])
			if err != nil {
				return err
			}
			if !empty {
				around = append(around, i)
				continue
			}
			removal = c.removal(cl, nil)
		}
		t.Then, sent = append(t.Then, etcd.Nest(removal)), append(sent, i)
	}
	if len(sent) > 0 {
		res, err := c.q.c.Txn(ctx, t, etcd.Alone())
		if err != nil {
			return err // repeated: it only deletes what is ours and empty
		}
		for k, i := range sent {
			if !res.Results[k].Txn.Succeeded {
				// It was removed before, or taken away; or something stands in its
				// range that was not claimed.
				around = append(around, i)
			}
		}
	}
	for _, i := range around {
		if err := c.cleanAround(ctx, cls[i], rests[i]); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished = c.finished[len(cls):]
	for _, cl := range cls {
		c.removed(cl)
	}
	c.touch() // also where they were known to be gone
	return nil
}

// cleanAround removes the record of a claim that is settled if all that stands in
// its range is somebody else's. A job that nobody can have put there goes with the
// consumer.
func (c *consumer) cleanAround(ctx context.Context, cl *claim, rest []run) error {
	for _, r := range rest {
		for r.len() > 0 {
			pos, there, err := c.q.nextJob(ctx, cl.rec.Priority, r)
			if err != nil {
				return err
			}
			if there {
				c.q.log.Debug("queue claim record was not removed", "queue", c.q.name, "key", cl.key)
				return nil
			}
			r[0] = pos
		}
	}
	_, err := c.q.c.Txn(ctx, c.removal(cl, nil), etcd.Alone())
	return err
}

// vacant reports whether nothing is left of runs in front of the head. Positions
// are never filled again, so that it stays so.
func (q *core) vacant(ctx context.Context, p int, runs []run) (bool, error) {
	var gets []etcd.Op
	for _, r := range runs {
		gets = append(gets, etcd.Get(q.keys.span(p, r), etcd.CountOnly()))
	}
	n := int64(0)
	err := q.getMany(ctx, gets, func(_ int, r *etcd.GetResult) { n += r.Count })
	return n == 0, err
}

// adopt takes in a claim of ours whose reply was lost: it is handed back.
func (c *consumer) adopt(ctx context.Context, n int64, kv etcd.KV) error {
	rec, err := decodeRecord(kv.Key, kv.Value)
	if err == nil {
		keep := rec
		keep.Runs = nil
		_, _, err = c.q.handBack(ctx, &attempts{}, kv.Key, kv.ModRevision, rec, rec.Runs, keep)
	}
	if err != nil && !errors.Is(err, ErrClaimLost) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.records[n].ModRevision == kv.ModRevision {
		delete(c.records, n)
	}
	c.touch()
	return nil
}

// takeFrom takes the claims of a dead consumer over, and tells the others.
func (c *consumer) takeFrom(ctx context.Context, id string) error {
	_, err := c.q.takeAll(ctx, taking{owner: id, dead: true, maxAttempts: c.opts.maxAttempts})
	if errors.Is(err, ErrDamaged) {
		c.q.log.Error("queue consumer leaves a claim record alone", "queue", c.q.name, "error", err)
	} else if err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.view.gone, id)
	c.mu.Unlock()
	_, _ = c.q.c.Put(ctx, c.q.keys.took(), []byte(id)) // where that fails the others look for themselves
	return nil
}

// oldest is since when the delivery that was given out first is being worked
// on; zero if none is. The caller holds the mutex.
func (cl *claim) oldest() time.Time {
	for len(cl.out) > 0 && cl.out[0].at != started {
		cl.out = cl.out[1:]
	}
	if len(cl.out) == 0 {
		return time.Time{}
	}
	return cl.out[0].since
}

// outlived gives a claim up of which a delivery is older than it may be: the
// handler hangs, or the job is too long for the maximum that was set. What was
// not begun goes back at no attempt.
func (c *consumer) outlived(ctx context.Context, cl *claim) error {
	if err := c.handOver(ctx, c.unbegun(cl)); err != nil {
		return err
	}
	c.mu.Lock()
	if cl.closing || cl.over {
		c.mu.Unlock()
		return nil
	}
	cl.closing = true // the watch is not to tell another reason
	kv := etcd.KV{Key: cl.key, Value: cl.rec.encode(), CreateRevision: cl.token, ModRevision: cl.mod}
	c.mu.Unlock()
	cl.end(ErrClaimAge) // before anybody else can have the jobs
	_, err := c.q.takeOver(ctx, kv, taking{owner: c.id, maxAttempts: c.opts.maxAttempts})
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl.closing = false; err != nil {
		if cl.left == 0 && !cl.over { // settled meanwhile
			c.finish(cl)
		}
		return err
	}
	c.drop(cl, ErrClaimAge)
	c.touch()
	return nil
}

// unreceived hands back what was claimed in advance and then not received for so
// long that nobody seems to be at work here. Until somebody is, nothing more is
// claimed in advance.
func (c *consumer) unreceived(ctx context.Context, cl *claim) error {
	c.mu.Lock()
	c.resting = c.asked == 0
	c.mu.Unlock()
	return c.handOver(ctx, c.unbegun(cl))
}

// unbegun takes the jobs of a claim that were not given out yet from the buffer,
// for handOver.
func (c *consumer) unbegun(cl *claim) (out []*delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.buf[:0]
	for _, d := range c.buf {
		if d.claim == cl {
			d.at = started
			out = append(out, d)
		} else {
			kept = append(kept, d)
		}
	}
	clear(c.buf[len(kept):])
	c.buf = kept
	c.handing++
	return out
}

package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
)

// settled reports whether d may still be settled as asked: an error says why
// not, and done that it is settled so already.
func (c *consumer) mayTurn(d *delivery, to progress) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case d.at == to:
		return true, nil
	case d.at != started:
		return false, ErrSettled
	case d.claim.over:
		return false, lostBecause(context.Cause(d.claim.ctx))
	}
	return false, nil
}

// lostBecause makes the error of a delivery whose claim is over.
func lostBecause(cause error) error {
	if cause == nil || errors.Is(cause, ErrClaimLost) {
		return ErrClaimLost
	}
	return errors.Join(ErrClaimLost, cause)
}

// turned takes in that d is settled. The caller holds the mutex.
func (c *consumer) turned(d *delivery, to progress) {
	if d.at != started && d.at != waiting {
		return
	}
	d.at = to
	cl := d.claim
	if cl.left--; cl.left == 0 && !cl.over && !cl.closing {
		c.finish(cl)
	}
}

// finish takes in that all jobs of a claim are settled: its record is to be
// removed. The caller holds the mutex.
func (c *consumer) finish(cl *claim) {
	cl.closing = true
	cl.end(ErrSettled)
	if cl.rec.Alone {
		c.suspect.release(c)
	}
	c.finished = append(c.finished, cl)
	c.touch()
}

// removed takes in that a claim's record is gone, by us. The caller holds the
// mutex.
func (c *consumer) removed(cl *claim) {
	if cl.over {
		return
	}
	cl.closing, cl.over = true, true
	delete(c.claims, cl.n)
	if _, there := c.own[cl.n]; there {
		delete(c.own, cl.n)
	}
	c.ended[cl.n] = true
	cl.end(ErrSettled)
	if cl.rec.Alone {
		c.suspect.release(c)
	}
}

// taken takes in that others have taken a claim away.
func (c *consumer) takenAway(cl *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl.closing = false
	c.drop(cl, ErrClaimLost)
}

// stillHeld reports whether the record that was read is the claim's.
func (cl *claim) stillHeld(r *etcd.GetResult) bool {
	kv, ok := r.First()
	return ok && kv.CreateRevision == cl.token
}

// whoDeleted finds out about an attempt to settle d that had no answer, now that
// the claim record is gone: whether the job was deleted while the record was
// there, or in the same commit, which only we could do.
func (c *consumer) whoDeleted(ctx context.Context, d *delivery) (ours bool, err error) {
	unknown := func(err error) error {
		return &etcd.Error{Op: "resolve", On: d.claim.key, Err: err, Unknown: true}
	}
	gone, err := c.goneAt(ctx, d.claim)
	var res *etcd.GetResult
	if err == nil {
		res, err = c.q.c.Get(ctx, etcd.Key(d.key), etcd.WithRevision(gone))
	}
	if errors.Is(err, etcd.ErrCompacted) {
		// What is there still was not deleted, and cannot be by us any more.
		if res, err = c.q.c.Get(ctx, etcd.Key(d.key)); err == nil && len(res.KVs) == 0 {
			return false, unknown(fmt.Errorf("the reply was lost, the claim is over, and what came of it is compacted: %w", ErrClaimLost))
		}
	}
	if err != nil {
		return false, unknown(err)
	}
	return len(res.KVs) == 0, nil
}

// goneAt finds the revision at which a claim's record was deleted.
func (c *consumer) goneAt(ctx context.Context, cl *claim) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	w, err := c.q.c.Watch(ctx, etcd.Key(cl.key), etcd.FromRevision(cl.token+1), etcd.DeletesOnly())
	if err != nil {
		return 0, err
	}
	defer w.Close()
	for ev, err := range w.All(ctx) {
		if err != nil {
			return 0, err
		}
		return ev.KV.ModRevision, nil
	}
	return 0, errMoved
}

// attempts repeats a transaction that can be repeated without harm until it has
// an answer. doubt tells whether an attempt before the last may have been
// applied. The state is what is kept from one driver to the next.
type attempts struct {
	begun time.Time // when the first had no answer
	err   error
}

func (a *attempts) doubt() bool { return !a.begun.IsZero() }

// send gives the answer of t, or an error; arrived is false if ctx ended with
// the outcome open.
func (a *attempts) send(ctx context.Context, client *etcd.Client, t etcd.Txn) (res *etcd.TxnResult, err error, arrived bool) {
	var pace pacer
	for {
		if res, err = client.Txn(ctx, t, etcd.Alone()); err == nil {
			return res, nil, true
		}
		open := errors.Is(err, etcd.ErrUnknownOutcome)
		if open && a.begun.IsZero() {
			a.begun = time.Now()
		}
		if ctx.Err() != nil {
			return nil, err, false
		}
		if !a.doubt() {
			return nil, err, true
		}
		if a.err = err; !transient(err) || time.Since(a.begun) > resolveFor {
			if !open {
				err = &etcd.Error{Op: "txn", Err: err, Unknown: true}
			}
			return nil, err, true
		}
		if pace.wait(ctx) != nil {
			return nil, err, false
		}
	}
}

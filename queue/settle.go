package queue

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// progress is how far a delivery is.
type progress uint8

const (
	waiting   progress = iota // claimed, not given out
	started                   // given out by Receive
	acked                     // settled ...
	ackedWith                 // acknowledged by AckWith
	nacked                    // tried again
	doomed                    // a dead letter
	returned                  // given back
)

// errResolve: an earlier attempt of the same sort has had no answer, and the
// claim is over.
var errResolve = errors.New("to be resolved")

// ask is called before d is settled as to. It reports done if it is already,
// and otherwise keeps it from being settled in another way until answered. While the
// outcome of an attempt is open, only the same can be asked for again.
func (c *consumer) ask(d *delivery, to progress) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case d.at == to, d.at == ackedWith && to == acked:
		return true, nil
	case d.at != started, d.asked != waiting && d.asked != to:
		return false, ErrSettled
	case d.claim.over && !d.unsure:
		return false, lostBecause(context.Cause(d.claim.ctx))
	case to == returned && !d.since.IsZero() && !d.unsure && errors.Is(context.Cause(d.claim.ctx), ErrClaimAge):
		return false, lostBecause(ErrClaimAge) // it was begun, and the attempt is to count
	}
	d.asked = to
	d.busy++
	if d.claim.over {
		return false, errResolve
	}
	return false, nil
}

// answered is called after ask, with what came of it.
func (c *consumer) answered(d *delivery, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A claim's context ends with the last of its jobs, so it may end a call under
	// it before that is told what came of it. An answer of AckWith's cannot be given
	// that way.
	if d.at == d.asked && d.asked != ackedWith && errors.Is(err, etcd.ErrUnknownOutcome) {
		err = nil
	}
	d.unsure = d.unsure || errors.Is(err, etcd.ErrUnknownOutcome)
	if d.unsure && definite(err) {
		err = &etcd.Error{Op: "txn", On: d.key, Err: err, Unknown: true} // for the attempts before
	}
	if d.busy--; d.busy == 0 && d.at == started && (!d.unsure || errors.Is(err, ErrClaimLost)) {
		d.asked = waiting
	}
	return err
}

// definite reports whether err says of its own attempt alone that nothing was done.
func definite(err error) bool {
	for _, told := range []error{etcd.ErrUnknownOutcome, ErrClaimLost, ErrSettled, ErrNotFound, ErrDamaged} {
		if errors.Is(err, told) {
			return false
		}
	}
	return err != nil
}

// inDoubt reports whether an earlier attempt to settle d has had no answer.
func (c *consumer) inDoubt(d *delivery) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return d.unsure
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
	c.freeSlot(cl)
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
	if delete(c.records, cl.n); !cl.gone {
		c.ended[cl.n] = true
	}
	cl.end(ErrSettled)
	c.freeSlot(cl)
	c.touch()
}

// takenAway takes in that others have taken a claim away.
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

// attempts repeats a transaction that can be repeated without harm until it has
// an answer. It is kept from one driver to the next.
type attempts struct {
	begun time.Time // when the first had no answer
	err   error
}

// doubt tells whether an attempt before the last may have been applied.
func (a *attempts) doubt() bool { return !a.begun.IsZero() }

// send gives the answer of t, or an error; arrived is false if ctx ended with
// the outcome open.
func (a *attempts) send(ctx context.Context, client *etcd.Client, t etcd.Txn) (res *etcd.TxnResult, err error, arrived bool) {
	var retries pace.Retries
	for {
		if res, err = client.Txn(ctx, t, etcd.Alone()); err == nil {
			return res, nil, true
		}
		open := errors.Is(err, etcd.ErrUnknownOutcome)
		if open && a.begun.IsZero() {
			a.begun = time.Now()
		}
		if !open && a.doubt() {
			err = &etcd.Error{Op: "txn", Err: err, Unknown: true} // for the attempts before
		}
		if ctx.Err() != nil {
			return nil, err, false
		}
		if a.err = err; !a.doubt() || !transient(err) || time.Since(a.begun) > resolveFor {
			return nil, err, true
		}
		if retries.Wait(ctx) != nil {
			return nil, err, false
		}
	}
}

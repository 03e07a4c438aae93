package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// flightState is what a driver leaves to the next.
type flightState struct {
	b     *batch
	doubt time.Time // when an attempt of b was first left without an answer
	lost  error     // what that was
}

// fly carries out what a flight asks for in one batch, or several where some of
// it does not hold. A batch whose outcome is unknown is repeated as it is until
// the outcome is known; only then another one is composed. Where others have
// moved the tail before, nothing is settled, and it is for rows to say when to
// try again.
func (q *core) fly(ctx context.Context, f *flight[*unit]) bool {
	st, _ := f.state.(*flightState)
	if st == nil {
		st = &flightState{}
		f.state = st
	}
	var retries pace.Retries
	for {
		left := pending(f)
		if len(left) == 0 && st.doubt.IsZero() {
			return true
		}
		if st.b == nil {
			tail, _ := q.cursors()
			st.b = q.compose(tail, firstComers(left))
		}
		begin := time.Now()
		res, err := q.c.Txn(ctx, st.b.txn, etcd.Alone())
		switch {
		case err == nil && res.Succeeded:
			q.rows.Won(begin, q.rung(res.Results[len(res.Results)-1].Get))
			q.applied(st, f, res.Header.Revision)
		case err == nil:
			var late bool
			b := st.b
			if late, err = q.refusedBatch(ctx, st, f, res); late {
				q.rows.Lost(q.rungBefore(b, res))
				return true
			}
		case errors.Is(err, etcd.ErrNoSpace):
			err = q.noSpace(ctx, st, f, err)
		case errors.Is(err, etcd.ErrUnknownOutcome):
			if st.lost = err; st.doubt.IsZero() {
				st.doubt = time.Now()
			}
			if transient(err) && time.Since(st.doubt) < resolveFor {
				if retries.Wait(ctx) != nil {
					return false
				}
				continue
			}
		case !st.doubt.IsZero() && transient(err) && time.Since(st.doubt) < resolveFor:
			if retries.Wait(ctx) != nil {
				return false
			}
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return false
			}
			q.abort(st, f, err)
			return true
		}
	}
}

// pending gives the units of a flight that have no outcome yet.
func pending(f *flight[*unit]) []*unit {
	var us []*unit
	for _, p := range f.parts {
		if !p.out {
			us = append(us, p.item)
		}
	}
	return us
}

// partOf finds the part of a flight that asked for u.
func partOf(f *flight[*unit], u *unit) *part[*unit] {
	for _, p := range f.parts {
		if p.item == u {
			return p
		}
	}
	return nil
}

// applied settles a batch that is known to have been applied. rev is the
// revision of the tail it put, 0 if that is not known.
func (q *core) applied(st *flightState, f *flight[*unit], rev int64) {
	for _, u := range st.b.units {
		partOf(f, u).settle(nil)
		if e := &u.jobs[0]; u.claims && (e.UniqueUntil == 0 || e.UniqueUntil > time.Now().UnixMilli()) {
			refuse(f, e.Unique, &DuplicateError{Key: e.job(Ready, "", 0).Unique, Owner: e.ID})
		}
	}
	q.mu.Lock()
	q.refused = time.Time{}
	if rev > q.tail.mod {
		st.b.next.mod = rev
		q.tail = st.b.next
	}
	q.mu.Unlock()
	*st = flightState{}
}

// abort settles what has no outcome with an error.
func (q *core) abort(st *flightState, f *flight[*unit], err error) {
	if !st.doubt.IsZero() && !errors.Is(err, etcd.ErrUnknownOutcome) {
		err = &etcd.Error{Op: "txn", On: q.keys.tail(), Err: errors.Join(err, st.lost), Unknown: true}
	}
	for _, p := range f.parts {
		if !p.out {
			p.settle(err)
		}
	}
}

// refusedBatch takes in why a batch was refused: the tail has moved, or what
// some unit compares does not hold. late says that it was the tail.
func (q *core) refusedBatch(ctx context.Context, st *flightState, f *flight[*unit], res *etcd.TxnResult) (late bool, err error) {
	kv, there := res.Results[0].Get.First()
	tail, err := q.sawTail(kv, there)
	if err != nil {
		return false, err
	}
	if tail.mod != st.b.on.mod {
		// Whatever was sent for the old tail can never be applied any more.
		if !st.doubt.IsZero() {
			mine, err := q.wasMine(ctx, st.b, tail)
			if err != nil {
				return false, err
			}
			if mine {
				q.applied(st, f, 0)
				return false, nil
			}
		}
		q.dropFailed(st.b, f, res)
		*st = flightState{}
		return true, nil
	}
	if !st.doubt.IsZero() {
		// The attempt without an answer could still be applied when what it
		// compares changes. A batch of nothing moves the tail, and settles it.
		return false, q.fence(ctx, st, f, q.compose(st.b.on, nil))
	}
	if q.dropFailed(st.b, f, res) == 0 {
		return false, contradiction(q.keys.tail())
	}
	*st = flightState{}
	return false, nil
}

// fence moves the tail without adding anything, so that st's batch, which has
// had no answer, is either in front of it or never applied.
func (q *core) fence(ctx context.Context, st *flightState, f *flight[*unit], fence *batch) error {
	var retries pace.Retries
	for {
		res, err := q.c.Txn(ctx, fence.txn, etcd.Alone())
		switch {
		case err == nil && res.Succeeded:
			fence.next.mod = res.Header.Revision
			q.mu.Lock()
			if fence.next.mod > q.tail.mod {
				q.tail = fence.next
			}
			q.mu.Unlock()
			*st = flightState{} // not applied, never will be
			return nil
		case err == nil:
			kv, there := res.Results[0].Get.First()
			tail, err := q.sawTail(kv, there)
			if err != nil {
				return err
			}
			mine, err := q.wasMine(ctx, st.b, tail)
			if err == nil && mine {
				q.applied(st, f, 0)
			} else if err == nil {
				*st = flightState{}
			}
			return err
		case !transient(err) || time.Since(st.doubt) > resolveFor:
			return err
		}
		if err := retries.Wait(ctx); err != nil {
			return err
		}
	}
}

// dropFailed settles the units whose comparisons do not hold any more.
func (q *core) dropFailed(b *batch, f *flight[*unit], res *etcd.TxnResult) (dropped int) {
	i := 1
	next := func() (etcd.KV, bool) {
		kv, ok := res.Results[i].Get.First()
		i++
		return kv, ok
	}
	for _, u := range b.units {
		var err error
		if u.from != nil {
			if kv, ok := next(); !ok || kv.ModRevision != u.from.ModRevision {
				err = errMoved
			}
		}
		if u.claims {
			if kv, ok := next(); ok && err == nil {
				e := &u.jobs[0]
				dropped += refuse(f, e.Unique, &DuplicateError{Key: e.job(Ready, "", 0).Unique, Owner: string(kv.Value)})
			}
		}
		if p := partOf(f, u); err != nil && !p.out {
			p.settle(err)
			dropped++
		}
	}
	return dropped
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// noSpace finds out about a batch that was answered with "no space": it may have
// been applied nevertheless.
func (q *core) noSpace(ctx context.Context, st *flightState, f *flight[*unit], cause error) error {
	q.mu.Lock()
	q.refused = time.Now()
	q.mu.Unlock()
	before := !st.doubt.IsZero()
	if !before {
		st.doubt = time.Now() // until it is looked up, by this driver or the next
	}
	st.lost = cause
	res, err := q.c.Get(ctx, etcd.Key(q.keys.tail()))
	if err != nil {
		return errors.Join(ErrFull, cause, err)
	}
	kv, there := res.First()
	tail, err := q.sawTail(kv, there)
	if err != nil {
		return err
	}
	mine := false
	if tail.mod != st.b.on.mod {
		if mine, err = q.wasMine(ctx, st.b, tail); err != nil {
			return errors.Join(ErrFull, cause, err)
		}
	}
	if mine {
		q.applied(st, f, 0)
		return nil
	}
	if tail.mod != st.b.on.mod || !before {
		// It was answered, so it does not come later, and it is not there.
		st.doubt = time.Time{}
		return fmt.Errorf("%w: nothing was added", errors.Join(ErrFull, etcd.ErrNoSpace))
	}
	return errors.Join(ErrFull, cause)
}

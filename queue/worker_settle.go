package queue

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// finish carries out what settles d, again and again while that can help, and
// tells how it ended.
func (r *workerRun[T]) finish(d *Delivery[T], out Outcome, op func(context.Context) error) {
	var retries pace.Retries
	for {
		err := op(r.settling)
		if err == nil {
			r.observe(out)
			return
		}
		if !worthTrying(err) || retries.Wait(r.settling) != nil {
			r.lost(d, out, err)
			return
		}
	}
}

// worthTrying reports whether settling a delivery may succeed the next time.
func worthTrying(err error) bool {
	if errors.Is(err, ErrClaimLost) || errors.Is(err, ErrSettled) {
		return false
	}
	return transient(err) || errors.Is(err, ErrFull) || errors.Is(err, etcd.ErrUnknownOutcome)
}

// lost takes in that d could not be settled.
func (r *workerRun[T]) lost(d *Delivery[T], out Outcome, err error) {
	out.What, out.Delay = Lost, 0
	out.Err = errors.Join(out.Err, err)
	r.log.Warn("queue worker could not settle a job", "queue", r.c.q.name, "job", d.ID, "error", err)
	r.observe(out)
}

// A doneJob is a delivery to be acknowledged.
type doneJob[T any] struct {
	d   *Delivery[T]
	out Outcome
}

// acknowledgeLater has d acknowledged together with others: the handler need not
// wait for that, and takes the next job.
func (r *workerRun[T]) acknowledgeLater(d *Delivery[T], out Outcome) {
	out.What = Done
	if r.settling.Err() != nil { // the handler came back when all was over
		r.lost(d, out, pace.Over(r.settling))
		return
	}
	select {
	case r.acks <- doneJob[T]{d, out}:
		r.pace.ended(out.Took)
	case <-r.settling.Done():
		r.lost(d, out, pace.Over(r.settling))
		return
	}
	select {
	case <-r.noAcks: // it came back when nobody acknowledges any more
		for _, j := range r.gathered(nil) {
			r.lost(j.d, j.out, ErrWorkerStopped)
		}
	default: // whoever ends that looks once more
	}
}

// acknowledge acknowledges what handlers have done until noMore is closed and
// nothing is left.
func (r *workerRun[T]) acknowledge(noMore <-chan struct{}) {
	var jobs []doneJob[T] // kept for its space
	some := func(first ...doneJob[T]) bool {
		jobs = r.gathered(append(jobs[:0], first...))
		r.acknowledgeAll(jobs)
		clear(jobs)
		return len(jobs) > 0
	}
	for over := false; !over; {
		select {
		case j := <-r.acks:
			some(j)
		case <-noMore:
			over = true
		}
	}
	for some() {
	}
	close(r.noAcks)
	for some() { // what came meanwhile
	}
}

// gathered adds what else waits to be acknowledged.
func (r *workerRun[T]) gathered(jobs []doneJob[T]) []doneJob[T] {
	for len(jobs) < cap(r.acks) {
		select {
		case j := <-r.acks:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// acknowledgeAll acknowledges jobs until that is done or of no more use.
func (r *workerRun[T]) acknowledgeAll(jobs []doneJob[T]) {
	var retries pace.Retries
	for len(jobs) > 0 {
		ds := make([]*delivery, len(jobs))
		for i, j := range jobs {
			ds[i] = j.d.d
		}
		var again []doneJob[T]
		var last error
		for i, err := range r.c.ackAll(r.settling, ds) {
			switch j := jobs[i]; {
			case err == nil:
				r.observe(j.out)
			case worthTrying(err):
				again, last = append(again, j), err
			default:
				r.lost(j.d, j.out, err)
			}
		}
		if jobs = again; len(jobs) > 0 && retries.Wait(r.settling) != nil {
			for _, j := range jobs {
				r.lost(j.d, j.out, last)
			}
			return
		}
	}
}

package queue

import (
	"context"
	"fmt"
	"iter"

	"github.com/quorate/quorate/etcd"
)

// list gives the jobs in a state.
func (q *core) list(ctx context.Context, state State) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		if state < Ready || state > Dead {
			yield(Job{}, q.fail("list", fmt.Errorf("there is no state %d", state)))
			return
		}
		s, err := q.look(ctx)
		if err != nil {
			yield(Job{}, q.fail("list", err))
			return
		}
		w := walk{q: q, ctx: ctx, s: s, yield: yield}
		for _, err := range s.problems {
			if !yield(Job{}, q.fail("list", err)) {
				return
			}
		}
		switch state {
		case Ready:
			w.ready()
		case Claimed:
			w.claimed()
		case Delayed:
			w.set(etcd.Prefix(q.keys.laters()), Delayed, nil)
		case Dead:
			w.set(etcd.Prefix(q.keys.deads()), Dead, nil)
		}
	}
}

// A walk gives jobs out of several sets, as of one revision.
type walk struct {
	q     *core
	ctx   context.Context // of the call that walks
	s     *sight
	yield func(Job, error) bool
}

func (w *walk) ready() {
	free := w.s.free
	for p := MaxPriority; p >= 0; p-- {
		for len(free) > 0 && free[0].rec.Priority == p {
			if !w.record(&free[0]) {
				return
			}
			free = free[1:]
		}
		if r := (run{w.s.head.Next[p], w.s.tail.Next[p]}); r.len() > 0 && !w.set(w.q.keys.span(p, r), Ready, nil) {
			return
		}
	}
	w.set(etcd.Prefix(w.q.keys.inbox()), Ready, nil)
}

func (w *walk) claimed() {
	for i := range w.s.claims {
		if !w.record(&w.s.claims[i]) {
			return
		}
	}
}

func (w *walk) record(h *held) bool {
	for _, r := range h.rec.Runs {
		if !w.set(w.q.keys.span(h.rec.Priority, r), Ready, h) {
			return false
		}
	}
	return true
}

// set gives the jobs of a set, and reports whether more are wanted.
func (w *walk) set(set etcd.KeySet, state State, h *held) bool {
	for kv, err := range w.q.c.List(w.ctx, set, etcd.ListAt(w.s.rev)) {
		if err != nil {
			w.yield(Job{}, w.q.fail("list", err))
			return false
		}
		env, err := decodeEnvelope(kv.Value)
		if err != nil {
			if !w.yield(Job{}, w.q.fail("list", damaged(kv.Key, "holds no job: %v", err))) {
				return false
			}
			continue
		}
		j := env.job(state, kv.Key, kv.ModRevision)
		if h != nil {
			h.dress(&j)
		}
		if !w.yield(j, nil) {
			return false
		}
	}
	return true
}

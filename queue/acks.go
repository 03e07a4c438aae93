package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/quorate/quorate/etcd"
)

// ack ends a job.
func (c *consumer) ack(ctx context.Context, d *delivery) error {
	return c.ackAll(ctx, []*delivery{d})[0]
}

// ackAll ends jobs.
func (c *consumer) ackAll(ctx context.Context, ds []*delivery) []error {
	errs := make([]error, len(ds))
	var send []*delivery
	var at []int
	for i, d := range ds {
		done, err := c.ask(d, acked)
		switch {
		case errors.Is(err, errResolve):
			errs[i] = c.answered(d, c.resolve(ctx, d, acked))
		case done || err != nil:
			errs[i] = err
		default:
			send, at = append(send, d), append(at, i)
		}
	}
	if len(send) == 0 {
		return errs
	}
	for j, err := range c.acks.doAll(ctx, send) {
		errs[at[j]] = c.answered(send[j], err)
	}
	return errs
}

// At worst, each of maxAcks jobs takes two operations of its own: the groups, the
// operations of one, and the comparisons of the removal in it are together less
// than the 128 that the server takes.
const (
	maxAcks     = 500 // jobs of a flight
	maxAckOps   = 48  // operations of a nested transaction
	maxAckParts = 16  // claims of a flight
	maxAckGaps  = 30  // pieces of a claim that are compared to be empty
)

// takeAcks picks the acks of a flight. Long names and unique keys make it small.
func takeAcks(waiting []*part[*delivery]) int {
	claims, bytes := map[*claim]bool{}, 0
	for n, p := range waiting {
		d := p.item
		bytes += 2*len(d.key) + 32
		if d.env.Unique != "" {
			bytes += 2*(len(d.c.q.keys.data)+len(d.env.Unique)) + 256
		}
		if !claims[d.claim] {
			bytes += removalBytes(d.claim, maxAckGaps)
		}
		if claims[d.claim] = true; n == maxAcks || len(claims) > maxAckParts || n > 0 && bytes > MaxJobBytes {
			return n
		}
	}
	return len(waiting)
}

// An ackGroup is a nested transaction of acks of one claim.
type ackGroup struct {
	claim   *claim
	parts   []*part[*delivery]
	closing int // the place of the removal of the record among the results; 0 for none
}

// ackFlight is what is kept of a flight of acks between two drivers.
type ackFlight struct {
	attempts
	txn     etcd.Txn
	groups  []*ackGroup     // those that are not settled yet,
	results []etcd.OpResult // and the answer to each, once there is one
}

// flyAcks carries out a flight of acks: deletions alone, so that it passes when
// etcd is full, and repeating it does no harm.
func (c *consumer) flyAcks(ctx context.Context, f *flight[*delivery]) bool {
	st, _ := f.state.(*ackFlight)
	if st == nil {
		st = c.composeAcks(f.parts)
		f.state = st
	}
	if st.results == nil {
		res, err, arrived := st.send(ctx, c.q.c, st.txn)
		if !arrived {
			return false
		}
		if err != nil {
			for _, p := range f.parts {
				p.settle(err)
			}
			c.reopen(st)
			return true
		}
		st.results = res.Results
	}
	for len(st.groups) > 0 {
		if !c.ackedGroup(ctx, st, st.groups[0], st.results[0].Txn) {
			return false
		}
		st.groups, st.results = st.groups[1:], st.results[1:]
	}
	return true
}

// droppedAcks takes in that a flight of acks was given up by all who waited for it.
func (c *consumer) droppedAcks(f *flight[*delivery]) {
	if st, ok := f.state.(*ackFlight); ok {
		c.reopen(st)
	}
}

// composeAcks makes the transaction of a flight.
func (c *consumer) composeAcks(parts []*part[*delivery]) *ackFlight {
	st := &ackFlight{}
	byClaim := map[*claim][]*part[*delivery]{}
	var order []*claim
	for _, p := range parts {
		cl := p.item.claim
		if byClaim[cl] == nil {
			order = append(order, cl)
		}
		byClaim[cl] = append(byClaim[cl], p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range order {
		ps := byClaim[cl]
		slices.SortStableFunc(ps, func(a, b *part[*delivery]) int { return cmp.Compare(a.item.pos, b.item.pos) })
		pieces, jobs := c.pieces(cl, ps)
		for len(pieces) > 0 {
			g := &ackGroup{claim: cl}
			t := etcd.Txn{If: []etcd.Cmp{cl.held()}, Else: []etcd.Op{etcd.Get(etcd.Key(cl.key))}}
			for len(pieces) > 0 && len(t.Then) < maxAckOps {
				g.parts = append(g.parts, pieces[0].parts...)
				t.Then = append(t.Then, pieces[0].ops...)
				pieces = pieces[1:]
			}
			if len(pieces) == 0 && jobs == cl.left && !cl.closing {
				// Nothing is left to do of it.
				positions := make([]int64, len(ps))
				for i, p := range ps {
					positions[i] = p.item.pos
				}
				if rest := without(cl.rec.Runs, toRuns(slices.Compact(positions))); len(rest) <= maxAckGaps {
					g.closing = len(t.Then)
					t.Then = append(t.Then, etcd.Nest(c.removal(cl, rest)))
					cl.closing = true
				}
			}
			st.txn.Then = append(st.txn.Then, etcd.Nest(t))
			st.groups = append(st.groups, g)
		}
	}
	return st
}

// A piece is contiguous acks of one claim, deleted as one range, or one that
// frees a unique key beside.
type piece struct {
	parts []*part[*delivery]
	ops   []etcd.Op
}

// pieces divides the acks of a claim, sorted by position, and counts the jobs.
func (c *consumer) pieces(cl *claim, ps []*part[*delivery]) (out []piece, jobs int) {
	for i := 0; i < len(ps); {
		from, first := i, ps[i].item
		r := run{first.pos, first.pos + 1}
		jobs++
		for i++; i < len(ps); i++ {
			d := ps[i].item
			if d.pos == r[1]-1 { // the same, asked for twice
				continue
			}
			if d.pos != r[1] || first.env.Unique != "" || d.env.Unique != "" {
				break
			}
			r[1]++
			jobs++
		}
		ops := append([]etcd.Op{etcd.Delete(c.q.keys.exactly(cl.rec.Priority, r))}, c.q.releaseUnique(first.env)...)
		out = append(out, piece{parts: ps[from:i], ops: ops})
	}
	return out, jobs
}

// releaseUnique frees the unique key of a job that ends, if it has one that does
// not outlast it and is still its own.
func (q *core) releaseUnique(e *envelope) []etcd.Op {
	if e.Unique == "" || e.UniqueUntil != 0 {
		return nil
	}
	key := etcd.Key(q.keys.unique(e.Unique, 0))
	return []etcd.Op{etcd.Nest(etcd.Txn{
		If:   []etcd.Cmp{etcd.IfValue(key, etcd.Equal, []byte(e.ID))},
		Then: []etcd.Op{etcd.Delete(key)},
	})}
}

// removal deletes the record of a claim if nothing is left of these runs.
func (c *consumer) removal(cl *claim, rest []run) etcd.Txn {
	t := etcd.Txn{If: []etcd.Cmp{cl.held()}, Then: []etcd.Op{etcd.Delete(etcd.Key(cl.key))}}
	for _, r := range rest {
		t.If = append(t.If, etcd.Missing(c.q.keys.span(cl.rec.Priority, r)))
	}
	return t
}

// removalBytes is about how many bytes a removal takes that compares so many pieces.
func removalBytes(cl *claim, pieces int) int { return (2*pieces + 4) * (len(cl.key) + 32) }

// ackedGroup settles the acks of one nested transaction. It reports false if ctx
// ended before it was known what came of them: that is for the next driver.
func (c *consumer) ackedGroup(ctx context.Context, st *ackFlight, g *ackGroup, res *etcd.TxnResult) bool {
	if !res.Succeeded {
		return c.refusedGroup(ctx, st, g)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.closing > 0 && res.Results[g.closing].Txn.Succeeded {
		c.removed(g.claim)
	} else if g.closing > 0 {
		g.claim.closing = false
	}
	for _, p := range g.parts {
		c.turned(p.item, acked)
		p.settle(nil)
	}
	return true
}

// refusedGroup settles acks whose claim record is gone: by others, or by an
// attempt of ours whose reply was lost.
func (c *consumer) refusedGroup(ctx context.Context, st *ackFlight, g *ackGroup) bool {
	var open []*delivery
	for _, p := range g.parts {
		if st.doubt() || c.inDoubt(p.item) {
			open = append(open, p.item)
		}
	}
	fs, err := c.fates(ctx, g.claim, open)
	if err != nil && ctx.Err() != nil {
		return false
	}
	for _, p := range g.parts {
		switch f, asked := fs[p.item]; {
		case asked:
			p.settle(c.settleByFate(p.item, f, acked))
		case err != nil && slices.Contains(open, p.item):
			p.settle(err)
		default:
			p.settle(ErrClaimLost)
		}
	}
	c.takenAway(g.claim) // or ended by us: in any case it is over
	return true
}

// reopen takes back that claims are being closed, after a flight of which it is
// not known whether it arrived: the next ack, or the record's disappearance,
// tells.
func (c *consumer) reopen(st *ackFlight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range st.groups {
		if g.closing > 0 {
			if g.claim.closing = false; g.claim.gone {
				c.drop(g.claim, ErrClaimLost)
			}
		}
	}
	c.touch()
}

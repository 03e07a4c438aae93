package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
)

// fate is what became of a claimed job, found out from history after a reply
// was lost.
type fate uint8

const (
	unmoved fate = iota // it stands where it was claimed
	done                // deleted under our claim, and nowhere else: acknowledged
	retried             // deleted under our claim, and put below later/
	buried              // deleted under our claim, and put below dead/
	others              // deleted after our claim was over
)

// fateOf finds out what became of one job.
func (c *consumer) fateOf(ctx context.Context, d *delivery) (fate, error) {
	fs, err := c.fates(ctx, d.claim, []*delivery{d})
	if err != nil {
		return unmoved, err
	}
	return fs[d], nil
}

// fates finds out what became of jobs of a claim. Where a job is gone, the
// commit that deleted it shows it: whether the claim record was there until
// then, and whether the job was put elsewhere by the same commit. If that
// history is compacted, the error is one of unknown outcome.
func (c *consumer) fates(ctx context.Context, cl *claim, ds []*delivery) (map[*delivery]fate, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	out := make(map[*delivery]fate, len(ds))
	gone, err := c.missing(ctx, ds)
	if err == nil && len(gone) > 0 {
		var when map[*delivery]int64
		if when, err = c.deletions(ctx, cl, gone); err == nil {
			err = c.traces(ctx, cl, when, out)
		}
	}
	if errors.Is(err, etcd.ErrCompacted) {
		err = fmt.Errorf("the reply was lost, and what came of it is compacted: %w", err)
	}
	if err != nil {
		return nil, &etcd.Error{Op: "resolve", On: cl.key, Err: err, Unknown: true}
	}
	return out, nil
}

// missing gives the jobs that do not stand where they were claimed.
func (c *consumer) missing(ctx context.Context, ds []*delivery) ([]*delivery, error) {
	var gets []etcd.Op
	for _, d := range ds {
		gets = append(gets, etcd.Get(etcd.Key(d.key), etcd.KeysOnly()))
	}
	var gone []*delivery
	err := c.q.getMany(ctx, gets, func(i int, r *etcd.GetResult) {
		if _, there := r.First(); !there {
			gone = append(gone, ds[i])
		}
	})
	return gone, err
}

// deletions finds the revisions at which jobs were deleted.
func (c *consumer) deletions(ctx context.Context, cl *claim, gone []*delivery) (map[*delivery]int64, error) {
	byKey := make(map[string]*delivery, len(gone))
	span := run{gone[0].pos, gone[0].pos + 1}
	for _, d := range gone {
		byKey[d.key] = d
		span = run{min(span[0], d.pos), max(span[1], d.pos+1)}
	}
	w, err := c.q.c.Watch(ctx, c.q.keys.span(cl.rec.Priority, span), etcd.FromRevision(cl.token+1), etcd.DeletesOnly())
	if err != nil {
		return nil, err
	}
	defer w.Close()
	when := make(map[*delivery]int64, len(gone))
	for ev, err := range w.All(ctx) {
		if err != nil {
			return nil, err
		}
		if d := byKey[ev.KV.Key]; d != nil {
			if when[d] = ev.KV.ModRevision; len(when) == len(byKey) {
				break
			}
		}
	}
	return when, nil
}

// traces reads what the commits that deleted jobs tell of them.
func (c *consumer) traces(ctx context.Context, cl *claim, when map[*delivery]int64, out map[*delivery]fate) error {
	var gets []etcd.Op
	var of []*delivery
	for d, rev := range when {
		gets = append(gets,
			etcd.Get(etcd.Key(cl.key), etcd.WithRevision(rev-1), etcd.KeysOnly()),
			etcd.Get(etcd.Key(c.q.keys.at(d.env.ID)), etcd.WithRevision(rev)))
		of = append(of, d)
	}
	return c.q.getMany(ctx, gets, func(i int, r *etcd.GetResult) {
		d := of[i/2]
		kv, there := r.First()
		switch {
		case i%2 == 0:
			if out[d] = done; !there || kv.CreateRevision != cl.token {
				out[d] = others
			}
		case there && kv.ModRevision == when[d] && out[d] == done:
			if out[d] = retried; strings.HasPrefix(string(kv.Value), c.q.keys.deads()) {
				out[d] = buried
			}
		}
	})
}

// getMany carries out many gets, a few at a time.
func (q *core) getMany(ctx context.Context, gets []etcd.Op, f func(i int, r *etcd.GetResult)) error {
	const few = 100
	for i := 0; i < len(gets); i += few {
		res, err := q.c.Txn(ctx, etcd.Txn{Then: gets[i:min(i+few, len(gets))]})
		if err != nil {
			return err
		}
		for j, r := range res.Results {
			f(i+j, r.Get)
		}
	}
	return nil
}

// settledAs tells what a delivery is settled as by its fate; false if it is not.
func (f fate) settledAs() (progress, bool) {
	switch f {
	case done:
		return acked, true
	case retried:
		return nacked, true
	case buried:
		return doomed, true
	}
	return started, false
}

// resolve settles a delivery by what history tells of an attempt to settle it
// as to, whose reply was lost, now that its claim is over or its job is gone.
func (c *consumer) resolve(ctx context.Context, d *delivery, to progress) error {
	f, err := c.fateOf(ctx, d)
	if err != nil {
		return err
	}
	return c.settleByFate(d, f, to)
}

func (c *consumer) settleByFate(d *delivery, f fate, to progress) error {
	as, settled := f.settledAs()
	if as == acked && to == ackedWith {
		as = ackedWith
	}
	if !settled {
		c.takenAway(d.claim)
		return ErrClaimLost
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(d, as); as != to {
		return ErrSettled
	}
	return nil
}

// resolveFor bounds how long the outcome of a request is looked for.
const resolveFor = 30 * time.Second

package queue

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/quorate/quorate/etcd"
)

// giveBack hands jobs back that were not begun: to a record without an owner,
// which is claimed before the head, at no attempt. The jobs themselves stay
// untouched.
func (c *consumer) giveBack(ctx context.Context, ds []*delivery) error {
	byClaim := map[*claim][]*delivery{}
	for _, d := range ds {
		done, err := c.mayTurn(d, returned)
		if err != nil {
			return err
		}
		if !done {
			byClaim[d.claim] = append(byClaim[d.claim], d)
		}
	}
	select {
	case c.giving <- struct{}{}:
	case <-ctx.Done():
		return ctxErr(ctx)
	}
	defer func() { <-c.giving }()
	var errs []error
	for cl, ds := range byClaim {
		errs = append(errs, c.giveBackOf(ctx, cl, ds))
	}
	return errors.Join(errs...)
}

// giveBackOf hands jobs of one claim back.
func (c *consumer) giveBackOf(ctx context.Context, cl *claim, ds []*delivery) error {
	c.mu.Lock()
	var positions []int64
	for _, d := range ds {
		if d.at == started {
			positions = append(positions, d.pos)
		}
	}
	slices.Sort(positions)
	positions = slices.Compact(positions)
	over, mod, rec := cl.over, cl.mod, cl.rec
	all := len(positions) == cl.left
	if all {
		cl.closing = true
	}
	c.mu.Unlock()
	if over {
		return lostBecause(context.Cause(cl.ctx))
	}
	if len(positions) == 0 {
		return nil
	}
	keep := rec
	keep.Runs = without(rec.Runs, toRuns(positions))
	if all {
		keep.Runs = nil
	}
	rev, err := c.q.handBack(ctx, cl.key, mod, rec, toRuns(positions), keep)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if all {
			cl.closing = false
		}
		if errors.Is(err, ErrClaimLost) {
			cl.closing = false
			c.drop(cl, ErrClaimLost)
		}
		return err
	}
	cl.rec.Runs, cl.mod = keep.Runs, rev
	for _, d := range ds {
		c.turned(d, returned)
	}
	if all {
		c.removed(cl)
	}
	return nil
}

// handBack puts runs of a claim record into records without an owner, and leaves
// keep in it, or deletes it if that is nothing. It gives the record's revision.
// It is repeated until its outcome is known: the record shows it.
func (q *core) handBack(ctx context.Context, key string, mod int64, rec record, runs []run, keep record) (int64, error) {
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(etcd.Key(key), etcd.Equal, mod)},
		Else: []etcd.Op{etcd.Get(etcd.Key(key))},
	}
	for part := range slices.Chunk(runs, maxRuns) {
		free := newRecord(rec.Priority, part, rec.Crashes)
		t.Then = append(t.Then, etcd.Put(q.keys.free(rec.Priority, part[0][0], nonce(4)), free.encode()))
	}
	left := keep.encode()
	if len(keep.Runs) > 0 {
		t.Then = append(t.Then, etcd.Put(key, left))
	} else {
		t.Then = append(t.Then, etcd.Delete(etcd.Key(key)))
	}
	var try attempts
	res, err, _ := try.send(ctx, q.c, t)
	if err != nil {
		return 0, full(err)
	}
	if res.Succeeded {
		return res.Header.Revision, nil
	}
	kv, there := res.Results[0].Get.First()
	switch {
	case try.doubt() && there && bytes.Equal(kv.Value, left) && kv.ModRevision > mod:
		return kv.ModRevision, nil
	case try.doubt() && !there && len(keep.Runs) == 0:
		return 0, nil // by us or by a take-over: it is not ours any more
	}
	return 0, ErrClaimLost
}

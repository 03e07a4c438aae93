package queue

import (
	"context"
	"errors"
	"slices"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// giveBack hands jobs back that were not begun: to a record without an owner,
// which is claimed before the head, at no attempt. The jobs themselves stay
// untouched.
func (c *consumer) giveBack(ctx context.Context, ds []*delivery) error {
	byClaim := map[*claim][]*delivery{}
	var errs []error
	for _, d := range ds {
		switch done, err := c.ask(d, returned); {
		case errors.Is(err, errResolve):
			errs = append(errs, c.answered(d, ErrClaimLost)) // given back, or taken over
		case err != nil:
			errs = append(errs, err)
		case !done:
			byClaim[d.claim] = append(byClaim[d.claim], d)
		}
	}
	token := false
	select {
	case c.giving <- struct{}{}:
		token = true
		defer func() { <-c.giving }()
	case <-ctx.Done():
	}
	for cl, ds := range byClaim {
		err := pace.Over(ctx)
		if token {
			err = c.giveBackOf(ctx, cl, ds)
		}
		told := err
		for _, d := range ds {
			if e := c.answered(d, err); errors.Is(e, etcd.ErrUnknownOutcome) {
				told = e
			}
		}
		errs = append(errs, told)
	}
	return errors.Join(errs...)
}

// handOver gives jobs back that nobody was given, and that its caller has taken
// away from where they were; handing counts that from then on, so that Close sees
// them either there or here. What cannot be given back now is given back later.
func (c *consumer) handOver(ctx context.Context, ds []*delivery) error {
	err := c.giveBack(ctx, ds)
	if errors.Is(err, ErrClaimLost) {
		err = nil // others have it already
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range ds {
		if d.at == started && !d.claim.over {
			c.owed = append(c.owed, d)
		}
	}
	c.handing--
	c.touch()
	return err
}

// payBack gives back what could not be given back before.
func (c *consumer) payBack(ctx context.Context) error {
	c.mu.Lock()
	ds := c.owed
	c.owed = nil
	c.handing++
	c.mu.Unlock()
	return c.handOver(ctx, ds)
}

// giveBackOf hands jobs of one claim back: those that stand in its record, so
// that it can be repeated.
func (c *consumer) giveBackOf(ctx context.Context, cl *claim, ds []*delivery) error {
	var try attempts
	for {
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
		all := len(positions) == cl.left && len(positions) > 0
		if all && !over {
			cl.closing = true
		}
		c.mu.Unlock()
		give := within(rec.Runs, toRuns(positions))
		if over && len(positions) > 0 {
			return lostBecause(context.Cause(cl.ctx))
		}
		if len(give) == 0 { // given back before, all of them
			c.mu.Lock()
			cl.closing = cl.closing && !all
			c.mu.Unlock()
			c.gaveBack(cl, ds, rec.Runs, mod, false)
			return nil
		}
		keep := rec
		if keep.Runs = without(rec.Runs, give); all {
			keep.Runs = nil
		}
		rev, now, err := c.q.handBack(ctx, &try, cl.key, mod, rec, give, keep)
		if now != nil && now.CreateRevision == cl.token && now.ModRevision != mod { // the record is not as we knew it
			if next, derr := decodeRecord(now.Key, now.Value); derr == nil {
				c.mu.Lock()
				cl.rec.Runs, cl.mod = next.Runs, now.ModRevision
				c.mu.Unlock()
				continue
			}
		}
		if err == nil {
			c.gaveBack(cl, ds, keep.Runs, rev, all)
			return nil
		}
		c.mu.Lock()
		if all {
			cl.closing = false
		}
		if errors.Is(err, ErrClaimLost) || cl.gone {
			cl.closing = false
			c.drop(cl, ErrClaimLost)
		}
		c.touch()
		c.mu.Unlock()
		return err
	}
}

// gaveBack takes in that jobs of a claim were given back.
func (c *consumer) gaveBack(cl *claim, ds []*delivery, keep []run, mod int64, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mod >= cl.mod { // otherwise it was written again, as it was left here
		cl.rec.Runs, cl.mod = keep, mod
	}
	for _, d := range ds {
		c.turned(d, returned)
	}
	if all {
		c.removed(cl)
	}
}

// handBack puts runs of a claim record into records without an owner, and leaves
// keep in it, or deletes it if that is nothing. It gives the record's revision,
// or the record as it is where that is not as expected: by an attempt before,
// whose reply was lost.
func (q *core) handBack(ctx context.Context, try *attempts, key string, mod int64, rec record, runs []run, keep record) (int64, *etcd.KV, error) {
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(etcd.Key(key), etcd.Equal, mod)},
		Else: []etcd.Op{etcd.Get(etcd.Key(key))},
	}
	for part := range slices.Chunk(runs, maxRuns) {
		free := newRecord(rec.Priority, part, rec.Crashes)
		t.Then = append(t.Then, etcd.Put(q.keys.free(rec.Priority, part[0][0], nonce(4)), free.encode()))
	}
	if len(keep.Runs) > 0 {
		t.Then = append(t.Then, etcd.Put(key, keep.encode()))
	} else {
		t.Then = append(t.Then, etcd.Delete(etcd.Key(key)))
	}
	res, err, _ := try.send(ctx, q.c, t)
	if err != nil {
		return 0, nil, full(err)
	}
	if res.Succeeded {
		return res.Header.Revision, nil, nil
	}
	if kv, there := res.Results[0].Get.First(); there {
		return 0, &kv, ErrClaimLost
	}
	if try.doubt() && len(keep.Runs) == 0 {
		return 0, nil, nil // by us or by a take-over: it is not ours any more
	}
	return 0, nil, ErrClaimLost
}

package queue

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
)

// ackWith ends a job together with a transaction of the caller's.
func (c *consumer) ackWith(ctx context.Context, d *delivery, t etcd.Txn) (*etcd.TxnResult, error) {
	done, err := c.ask(d, ackedWith)
	switch {
	case done:
		return nil, ErrSettled
	case errors.Is(err, errResolve):
		return &etcd.TxnResult{Succeeded: true}, c.answered(d, c.resolve(ctx, d, ackedWith))
	case err != nil:
		return nil, err
	}
	res, err := c.commitWith(ctx, d, t)
	return res, c.answered(d, err)
}

// commitWith carries out a transaction of the caller's with the acknowledgement.
// Beside the claim it compares the record's mod revision, so that an attempt
// without an answer can be kept from arriving late: by writing the record again.
func (c *consumer) commitWith(ctx context.Context, d *delivery, t etcd.Txn) (*etcd.TxnResult, error) {
	unsure := c.inDoubt(d)
	// The deletion comes last, so that the caller's results are the first ones.
	inner := etcd.Txn{If: t.If, Then: append([]etcd.Op(nil), t.Then...), Else: t.Else}
	inner.Then = append(append(inner.Then, etcd.Delete(etcd.Key(d.key))), c.q.releaseUnique(d.env)...)
	c.mu.Lock()
	mod := d.claim.mod
	c.mu.Unlock()
	for {
		var try attempts
		res, err, _ := try.send(ctx, c.q.c, d.asWritten(mod, etcd.Nest(inner)))
		if err != nil {
			return nil, full(err)
		}
		if !res.Succeeded {
			if mod, err = c.withRefused(ctx, d, res, try.doubt() || unsure); err != nil {
				return nil, err
			}
			if mod == 0 {
				return &etcd.TxnResult{Header: res.Header, Succeeded: true}, nil
			}
			continue // the record was written again, and what was sent for the old one is void
		}
		own := res.Results[0].Txn
		if own.Succeeded {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.turned(d, ackedWith)
			own.Results = own.Results[:len(t.Then)]
			return own, nil
		}
		if try.doubt() || unsure {
			applied, err := c.fenceRecord(ctx, d, mod)
			if err != nil {
				return nil, err
			}
			if applied {
				return &etcd.TxnResult{Header: res.Header, Succeeded: true}, nil
			}
		}
		c.mu.Lock()
		d.unsure = false // nothing that was sent can arrive any more
		c.mu.Unlock()
		return own, nil
	}
}

// asWritten carries op out if the job stands where it was claimed and the claim
// record is as it was written at mod, and otherwise reads both.
func (d *delivery) asWritten(mod int64, op etcd.Op) etcd.Txn {
	record := etcd.Key(d.claim.key)
	return etcd.Txn{
		If:   []etcd.Cmp{d.claimed(), etcd.IfModRevision(record, etcd.Equal, mod), d.present()},
		Then: []etcd.Op{op},
		Else: []etcd.Op{etcd.Get(record), etcd.Get(etcd.Key(d.key), etcd.KeysOnly())},
	}
}

// withRefused takes in why asWritten was refused. It gives the record's mod
// revision if that is all that has changed, and 0 if the job turns out to be
// acknowledged.
func (c *consumer) withRefused(ctx context.Context, d *delivery, res *etcd.TxnResult, doubt bool) (int64, error) {
	record, _ := res.Results[0].Get.First()
	job, there := res.Results[1].Get.First()
	held := d.claim.stillHeld(res.Results[0].Get)
	switch {
	case held && there && job.ModRevision != d.mod:
		return 0, damaged(d.key, "was changed while it was claimed")
	case held && there:
		return record.ModRevision, nil
	case doubt:
		return 0, c.resolve(ctx, d, ackedWith)
	case held:
		return 0, ErrNotFound // somebody deleted it
	}
	c.takenAway(d.claim)
	return 0, ErrClaimLost
}

// fenceRecord writes the claim record again as it is, so that nothing can arrive
// any more that was sent for it as of mod. It reports whether something has.
func (c *consumer) fenceRecord(ctx context.Context, d *delivery, mod int64) (applied bool, err error) {
	open := func(err error) error {
		return &etcd.Error{Op: "fence", On: d.claim.key, Err: full(err), Unknown: true}
	}
	now, err := c.q.c.Get(ctx, etcd.Key(d.claim.key))
	if err != nil {
		return false, open(err)
	}
	kv, _ := now.First()
	if kv.ModRevision == mod {
		res, err := c.q.repeat(ctx, d.asWritten(mod, etcd.Put(d.claim.key, kv.Value)))
		if err != nil {
			return false, open(err)
		}
		if res.Succeeded {
			c.mu.Lock()
			d.claim.mod = res.Header.Revision
			c.mu.Unlock()
			return false, nil
		}
		mod, err = c.withRefused(ctx, d, res, true)
		return mod == 0 && err == nil, err
	}
	// It was written again already. Was it in time?
	job, err := c.q.c.Get(ctx, etcd.Key(d.key), etcd.KeysOnly())
	if err != nil {
		return false, open(err)
	}
	if _, there := job.First(); there {
		return false, nil
	}
	return true, c.resolve(ctx, d, ackedWith)
}

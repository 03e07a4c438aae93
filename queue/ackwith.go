package queue

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// ackWith ends a job together with a transaction of the caller's.
func (c *consumer) ackWith(ctx context.Context, d *delivery, t etcd.Txn) (*etcd.TxnResult, error) {
	done, err := c.ask(d, ackedWith)
	switch {
	case done:
		return nil, ErrSettled
	case errors.Is(err, errResolve):
		if err := c.answered(d, c.resolve(ctx, d, ackedWith)); err != nil {
			return nil, err
		}
		return &etcd.TxnResult{Succeeded: true}, nil
	case err != nil:
		return nil, err
	}
	res, err := c.commitWith(ctx, d, t)
	return res, c.answered(d, err)
}

// commitWith carries out a transaction of the caller's with the acknowledgement.
func (c *consumer) commitWith(ctx context.Context, d *delivery, t etcd.Txn) (*etcd.TxnResult, error) {
	unsure := c.inDoubt(d)
	for {
		c.mu.Lock()
		mod := d.claim.mod
		c.mu.Unlock()
		var try attempts
		res, err, arrived := try.send(ctx, c.q.c, c.ackingWith(d, mod, t))
		if err != nil || !arrived {
			return nil, full(err)
		}
		unsure = unsure || try.doubt()
		if res.Succeeded {
			own := res.Results[0].Txn
			if !own.Succeeded {
				if unsure {
					return c.fenced(ctx, d, mod, own)
				}
				return own, nil
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.turned(d, ackedWith)
			own.Results = own.Results[:len(t.Then)]
			return own, nil
		}
		record, _ := res.Results[0].Get.First()
		_, there := res.Results[1].Get.First()
		held := d.claim.stillHeld(res.Results[0].Get)
		switch {
		case held && there && record.ModRevision != mod:
			// Neighbours were given back meanwhile, or another attempt was fenced off.
			if err := c.rewritten(d.claim, record); err != nil {
				return nil, err
			}
			continue
		case held && there:
			return nil, damaged(d.key, "was changed while it was claimed")
		case unsure:
			if err := c.resolve(ctx, d, ackedWith); err != nil {
				return nil, err
			}
			return &etcd.TxnResult{Header: res.Header, Succeeded: true}, nil
		case held:
			return nil, ErrNotFound // somebody deleted it
		}
		c.takenAway(d.claim)
		return nil, ErrClaimLost
	}
}

// ackingWith makes the transaction. It compares the revision of the claim record
// as well, so that it can be fenced off.
func (c *consumer) ackingWith(d *delivery, mod int64, t etcd.Txn) etcd.Txn {
	// The deletion comes last, so that the caller's results are the first ones.
	inner := etcd.Txn{If: t.If, Then: append([]etcd.Op(nil), t.Then...), Else: t.Else}
	inner.Then = append(append(inner.Then, etcd.Delete(etcd.Key(d.key))), c.q.releaseUnique(d.env)...)
	record := etcd.Key(d.claim.key)
	held := []etcd.Cmp{d.claimed(), d.present(), etcd.IfModRevision(record, etcd.Equal, mod)}
	if mutant.QueueLooseAckWith {
		held = held[:1]
	}
	return etcd.Txn{
		If:   held,
		Then: []etcd.Op{etcd.Nest(inner)},
		Else: []etcd.Op{etcd.Get(record), etcd.Get(etcd.Key(d.key))},
	}
}

// fenced gives own, the answer that the caller's own If does not hold, once no
// attempt before can be carried out any more that has had no answer: when it
// arrived, the If might hold. So the claim record, whose revision all of them
// compare, is written as it is. As long as that fails the outcome is unknown.
func (c *consumer) fenced(ctx context.Context, d *delivery, mod int64, own *etcd.TxnResult) (*etcd.TxnResult, error) {
	key := etcd.Key(d.claim.key)
	c.mu.Lock()
	same := etcd.Put(d.claim.key, d.claim.rec.encode())
	c.mu.Unlock()
	look := []etcd.Op{etcd.Get(key), etcd.Get(etcd.Key(d.key), etcd.KeysOnly())}
	var try attempts
	res, err, _ := try.send(ctx, c.q.c, etcd.Txn{
		If:   []etcd.Cmp{d.claimed(), etcd.IfModRevision(key, etcd.Equal, mod)},
		Then: append([]etcd.Op{same}, look...),
		Else: look,
	})
	if err != nil {
		return nil, &etcd.Error{Op: "fence", On: d.claim.key, Err: full(err), Unknown: true}
	}
	found := res.Results[len(res.Results)-len(look):]
	if kv, _ := found[0].Get.First(); kv.CreateRevision == d.claim.token {
		if err := c.rewritten(d.claim, kv); err != nil {
			return nil, err
		}
	}
	if _, there := found[1].Get.First(); !there { // it arrived just before
		if err := c.resolve(ctx, d, ackedWith); err != nil {
			return nil, err
		}
		return &etcd.TxnResult{Header: res.Header, Succeeded: true}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d.unsure = false
	return own, nil
}

// rewritten takes in a claim record of ours as it was read.
func (c *consumer) rewritten(cl *claim, kv etcd.KV) error {
	rec, err := decodeRecord(kv.Key, kv.Value)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if kv.ModRevision > cl.mod {
		cl.rec.Runs, cl.mod = rec.Runs, kv.ModRevision
	}
	return nil
}

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
func (c *consumer) commitWith(ctx context.Context, d *delivery, t etcd.Txn) (*etcd.TxnResult, error) {
	unsure := c.inDoubt(d)
	// The deletion comes last, so that the caller's results are the first ones.
	inner := etcd.Txn{If: t.If, Then: append([]etcd.Op(nil), t.Then...), Else: t.Else}
	inner.Then = append(append(inner.Then, etcd.Delete(etcd.Key(d.key))), c.q.releaseUnique(d.env)...)
	outer := etcd.Txn{
		If:   []etcd.Cmp{d.claimed(), d.present()},
		Then: []etcd.Op{etcd.Nest(inner)},
		Else: []etcd.Op{etcd.Get(etcd.Key(d.claim.key)), etcd.Get(etcd.Key(d.key))},
	}
	var try attempts
	res, err, arrived := try.send(ctx, c.q.c, outer)
	if err != nil || !arrived {
		return nil, full(err)
	}
	if res.Succeeded {
		own := res.Results[0].Txn
		if !own.Succeeded {
			return own, nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.turned(d, ackedWith)
		own.Results = own.Results[:len(t.Then)]
		return own, nil
	}
	_, there := res.Results[1].Get.First()
	held := d.claim.stillHeld(res.Results[0].Get)
	switch {
	case held && there:
		return nil, damaged(d.key, "was changed while it was claimed")
	case try.doubt() || unsure:
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

package queue

import (
	"context"

	"github.com/quorate/quorate/etcd"
)

// ackWith ends a job together with a transaction of the caller's.
func (c *consumer) ackWith(ctx context.Context, d *delivery, t etcd.Txn) (*etcd.TxnResult, error) {
	done, err := c.mayTurn(d, acked)
	if done {
		err = ErrSettled
	}
	if err != nil {
		return nil, err
	}
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
		c.turned(d, acked)
		own.Results = own.Results[:len(t.Then)]
		return own, nil
	}
	_, there := res.Results[1].Get.First()
	held := d.claim.stillHeld(res.Results[0].Get)
	ours := false
	switch {
	case held && there:
		return nil, damaged(d.key, "was changed while it was claimed")
	case held && !try.doubt():
		return nil, ErrNotFound // somebody deleted it
	case held:
		ours = true
	case try.doubt():
		ours, err = c.whoDeleted(ctx, d)
	}
	if !ours {
		c.takenAway(d.claim)
		if err == nil {
			err = ErrClaimLost
		}
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turned(d, acked)
	return &etcd.TxnResult{Header: res.Header, Succeeded: true}, nil
}

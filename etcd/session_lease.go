package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// obtain gives the lease of a new session, with time left to live, and the
// session's margin.
//
// Where the way to the cluster is slow, or answers are lost, a lease of a short
// TTL can have run out, or nearly, by the time it is known here. Then another one
// is asked for, as long as other calls are tried again: what has gone before the
// session began is nobody's loss.
func (o *sessionOptions) obtain(ctx context.Context, c *Client) (*Lease, time.Duration, error) {
	for until := time.Now().Add(c.cfg.RetryTimeout); ; {
		lease, err := o.ask(ctx, c)
		if err == nil && time.Since(lease.Since) > lease.TTL/renewEvery {
			// The first answer was lost, or slow: what is left may be too little.
			lease, err = c.KeepAlive(ctx, lease.ID)
		}
		ranOut := !o.adopt && errors.Is(err, ErrLeaseNotFound)
		if err != nil && !ranOut {
			return nil, 0, err
		}
		if err == nil {
			margin, err := o.marginOf(lease)
			if err != nil {
				return nil, 0, err
			}
			if time.Since(lease.Since) < lease.TTL-margin {
				return lease, margin, nil
			}
		}
		if !time.Now().Before(until) {
			return nil, 0, &Error{Op: "session", Kind: ErrUnavailable, Message: "no answer came before the lease that it was about had run out"}
		}
	}
}

// ask asks for the lease once, new or taken over.
func (o *sessionOptions) ask(ctx context.Context, c *Client) (*Lease, error) {
	if o.adopt {
		return c.KeepAlive(ctx, o.lease)
	}
	return c.Grant(ctx, o.ttl)
}

// marginOf is the safety margin of a session with that lease.
func (o *sessionOptions) marginOf(lease *Lease) (time.Duration, error) {
	switch {
	case !o.given:
		return max(lease.TTL/10, minMargin), nil
	case o.margin > lease.TTL/2:
		return 0, invalid("session", lease.ID.String(), marginError(o.margin, lease.TTL))
	}
	return o.margin, nil
}

func marginError(margin, ttl time.Duration) error {
	return fmt.Errorf("the safety margin %v is more than half of the time to live %v", margin, ttl)
}

package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/internal/jsonwire"
)

// maxLeaseTTL is the most that a server takes.
const maxLeaseTTL = 9_000_000_000 * time.Second

// A GrantOption changes how Grant asks for a lease.
type GrantOption interface{ applyGrant(*grantOptions) }

type grantOptions struct{ id LeaseID }

type grantOption func(*grantOptions)

func (f grantOption) applyGrant(o *grantOptions) { f(o) }

// WithLeaseID chooses the lease's id; it must not be zero. Without it the
// client chooses one at random.
func WithLeaseID(id LeaseID) GrantOption { return grantOption(func(o *grantOptions) { o.id = id }) }

// Grant makes a lease that lives for ttl unless it is renewed. The ttl is at
// least a second and is rounded up to whole seconds; the server may grant more
// (2 s is the least of a server with default settings).
//
// The id is the client's choice, at random, so that Grant can be repeated
// until an answer comes, and one lease results; one that ran out before it was
// known is replaced by another. With WithLeaseID a lease that
// is there already gives ErrLeaseExists; if the error answers
// ErrUnknownOutcome too, it may be the one that this call has made.
func (c *Client) Grant(ctx context.Context, ttl time.Duration, opts ...GrantOption) (*Lease, error) {
	seconds, err := leaseSeconds(ttl)
	if err != nil {
		return nil, invalid("lease grant", "", err)
	}
	o := grantOptions{id: randomLeaseID()}
	ours := o.id // nobody else has it
	for _, opt := range opts {
		if opt != nil {
			opt.applyGrant(&o)
		}
	}
	if o.id == 0 {
		return nil, invalid("lease grant", "", errors.New("lease id 0 means no lease"))
	}
	if o.id != ours {
		return c.grant(ctx, o.id, seconds, false)
	}
	for tries := 1; ; tries++ {
		l, err := c.grant(ctx, o.id, seconds, true)
		if tries == maxGrants || !errors.Is(err, ErrLeaseNotFound) {
			return l, err
		}
		// An attempt whose answer was lost had made it, and it has run out. With
		// another id no attempt that is still on its way can be taken for the next.
		o.id = randomLeaseID()
	}
}

// maxGrants bounds how often a lease that ran out before it was known is replaced.
const maxGrants = 5

func randomLeaseID() LeaseID { return LeaseID(rand.Int64N(1<<63-1) + 1) }

// grant makes a lease of that id, which is ours if nobody else uses it.
func (c *Client) grant(ctx context.Context, id LeaseID, seconds int64, ours bool) (*Lease, error) {
	f := object(nil)
	f.int("TTL", seconds)
	f.int("ID", int64(id))
	r := &request{op: "lease grant", on: id.String(), path: "/v3/lease/grant", body: f.end(), mode: modeRepeatable}
	l := &Lease{ID: id, Since: time.Now()}
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error { return decodeLease(rd, l) })
	if errors.Is(err, ErrLeaseExists) && ours {
		// An earlier attempt made it, or something on the way sent one twice.
		// Since stays: the lease may be as old as the first attempt.
		info, err := c.TimeToLive(ctx, id)
		var e *Error
		switch {
		case err == nil:
		case errors.As(err, &e) && e.Kind != ErrLeaseNotFound: // it was there a moment ago
			return nil, &Error{Op: r.op, On: r.on, Endpoint: e.Endpoint, Kind: e.Kind, Code: e.Code, Unknown: true, Err: err}
		default:
			return nil, err
		}
		l.TTL, l.Header = info.Granted, info.Header
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if l.TTL <= 0 {
		return nil, &Error{Op: r.op, On: r.on, Kind: ErrBadReply, Unknown: true, Err: errShape("a lease was granted for no time")}
	}
	return l, nil
}

// leaseSeconds gives ttl in the server's unit.
func leaseSeconds(ttl time.Duration) (int64, error) {
	switch {
	case ttl <= 0:
		return 0, fmt.Errorf("the time to live must be positive: %v", ttl)
	case ttl < time.Second:
		return 0, fmt.Errorf("the time to live is less than a second: %v", ttl)
	case ttl > maxLeaseTTL:
		return 0, fmt.Errorf("the time to live is more than a server takes: %v", ttl)
	}
	return int64((ttl + time.Second - 1) / time.Second), nil
}

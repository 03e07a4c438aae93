package etcd

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/jsonwire"
)

// String shows a lease's id as etcdctl does, in hexadecimal.
func (id LeaseID) String() string { return strconv.FormatUint(uint64(id), 16) }

// A Lease is a lease as it was granted or renewed.
type Lease struct {
	ID  LeaseID
	TTL time.Duration // as the server granted it, which may be more than was asked for
	// Since is a moment before the server began to count: the lease lives at
	// least until Since plus TTL, unless somebody revokes it.
	Since  time.Time
	Header Header
}

// Deadline is until when the lease lives at least, by this process's clock,
// unless it is renewed or somebody revokes it.
func (l *Lease) Deadline() time.Time { return l.Since.Add(l.TTL) }

// decodeLease reads the reply of a grant or a renewal.
func decodeLease(rd *jsonwire.Reader, l *Lease) error {
	d := decoder{rd, 0}
	l.TTL, l.Header = 0, Header{}
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&l.Header)
		case "ID":
			if id := LeaseID(d.Int64()); id != l.ID && d.Err() == nil {
				return errShape("the answer is about lease " + id.String())
			}
		case "TTL":
			ttl, err := leaseTTL(d.Int64())
			if err != nil {
				return err
			}
			l.TTL = ttl
		}
	}
	return nil
}

// leaseTTL is the server's number of seconds as a Duration.
func leaseTTL(seconds int64) (time.Duration, error) {
	if seconds > int64(maxLeaseTTL/time.Second) {
		return 0, errShape("a lease of " + itoa(seconds) + " seconds")
	}
	return time.Duration(seconds) * time.Second, nil
}

// Revoke ends a lease and deletes all keys bound to it, in one commit. A lease
// that is not there gives ErrLeaseNotFound.
func (c *Client) Revoke(ctx context.Context, id LeaseID) error {
	f := object(nil)
	f.int("ID", int64(id))
	r := &request{op: "lease revoke", on: id.String(), path: "/v3/lease/revoke", body: f.end(), mode: modeRepeatable}
	err := c.do(ctx, r, ignoreReply)
	if errors.Is(err, ErrLeaseNotFound) && errors.Is(err, ErrUnknownOutcome) {
		return nil // gone after an attempt of ours whose answer was lost
	}
	return err
}

// KeepAlive renews a lease once: it then lives for its whole TTL again, counted
// from Lease.Since. A lease that is not there any more gives ErrLeaseNotFound.
// A Session does this by itself as long as it lives.
func (c *Client) KeepAlive(ctx context.Context, id LeaseID) (*Lease, error) {
	l := &Lease{ID: id}
	r := keepAliveRequest(id)
	if err := c.do(ctx, r, l.decodeKeepAlive); err != nil {
		return nil, err
	}
	if l.TTL <= 0 {
		return nil, &Error{Op: r.op, On: r.on, Kind: ErrLeaseNotFound}
	}
	l.Since = r.began
	return l, nil
}

func keepAliveRequest(id LeaseID) *request {
	f := object(nil)
	f.int("ID", int64(id))
	// Not a stream, although the gateway calls it one: what it would stream
	// can be held back, so each renewal is a request of its own.
	return &request{op: "lease keepalive", on: id.String(), path: "/v3/lease/keepalive", body: f.end(), mode: modeRepeatable}
}

// decodeKeepAlive reads the only message of a stream. A lease that is not there
// is answered by a message without a TTL.
func (l *Lease) decodeKeepAlive(rd *jsonwire.Reader) error {
	answered := false
	for name := range rd.Object {
		switch string(name) {
		case "result":
			answered = true
			if err := decodeLease(rd, l); err != nil {
				return err
			}
		case "error":
			if e := readError(rd, 1); e.ok {
				return &streamError{e}
			}
		}
	}
	if !answered && rd.Err() == nil {
		return errShape("no answer in the stream")
	}
	return nil
}

// A LeaseInfo says how long a lease has to live.
type LeaseInfo struct {
	ID      LeaseID
	TTL     time.Duration // what is left, in whole seconds, rounded down
	Granted time.Duration // what each renewal gives
	Keys    []string      // bound to it, if WithKeys asked for them; those outside the client's namespace are not listed
	Header  Header
}

// A TimeToLiveOption changes what TimeToLive asks for.
type TimeToLiveOption interface{ applyTimeToLive(*fields) }

type withKeys struct{}

func (withKeys) applyTimeToLive(f *fields) { f.flag("keys", true) }

// WithKeys lists the keys that are bound to the lease as well.
func WithKeys() TimeToLiveOption { return withKeys{} }

// TimeToLive says how long a lease has to live. A lease that is not there
// gives ErrLeaseNotFound.
func (c *Client) TimeToLive(ctx context.Context, id LeaseID, opts ...TimeToLiveOption) (*LeaseInfo, error) {
	f := object(nil)
	f.int("ID", int64(id))
	for _, opt := range opts {
		if opt != nil {
			opt.applyTimeToLive(&f)
		}
	}
	r := &request{op: "lease timetolive", on: id.String(), path: "/v3/lease/timetolive", body: f.end(), mode: modeRead}
	var info *LeaseInfo
	var left int64
	err := c.do(ctx, r, func(rd *jsonwire.Reader) (err error) {
		info, left = &LeaseInfo{ID: id}, 0
		d := decoder{rd, 0}
		for name := range d.Object {
			switch string(name) {
			case "header":
				d.header(&info.Header)
			case "TTL":
				left = d.Int64()
				info.TTL, err = leaseTTL(left)
			case "grantedTTL":
				info.Granted, err = leaseTTL(d.Int64())
			case "keys":
				for range d.Array {
					if k, ok := strings.CutPrefix(d.BytesString(), c.ns); ok {
						info.Keys = append(info.Keys, k)
					}
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if left < 0 || info.Granted <= 0 {
		return nil, &Error{Op: r.op, On: r.on, Kind: ErrLeaseNotFound}
	}
	return info, nil
}

// Leases lists all leases of the cluster, whoever made them.
func (c *Client) Leases(ctx context.Context) ([]LeaseID, error) {
	r := &request{op: "lease list", path: "/v3/lease/leases", body: []byte("{}"), mode: modeRead}
	var ids []LeaseID
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		ids = nil
		for name := range rd.Object {
			if string(name) != "leases" {
				continue
			}
			for range rd.Array {
				for field := range rd.Object {
					if string(field) == "ID" {
						ids = append(ids, LeaseID(rd.Int64()))
					}
				}
			}
		}
		return nil
	})
	return ids, err
}

package etcd

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/quorate/quorate/internal/jsonwire"
)

// A Status is what one member says of itself.
type Status struct {
	Header         Header
	Version        string   // of the server, such as "3.6.14"
	StorageVersion string   // of its database; empty before etcd 3.6
	DBSize         int64    // bytes that the database takes on disk
	DBSizeInUse    int64    // bytes of it that hold data; Defragment gives the rest back
	Quota          int64    // bytes at which it stops taking puts; 0 before etcd 3.6
	Leader         MemberID // whom it takes for the leader; 0 is nobody
	RaftTerm       uint64
	RaftIndex      uint64   // of the last entry it knows to be committed
	AppliedIndex   uint64   // of the last entry it has carried out
	Learner        bool     // it has no vote
	Errors         []string // what is wrong in its own words: alarms, no leader
}

// IsLeader reports whether the member takes itself for the leader.
func (s *Status) IsLeader() bool { return s.Leader != 0 && uint64(s.Leader) == s.Header.MemberID }

// Status asks the member at endpoint, one of the client's, how it is. It does
// so once; a member without a leader answers too.
func (c *Client) Status(ctx context.Context, endpoint string) (*Status, error) {
	ep, err := c.endpoint("status", endpoint)
	if err != nil {
		return nil, err
	}
	return c.status(ctx, ep)
}

func (c *Client) status(ctx context.Context, ep *endpoint) (*Status, error) {
	r := &request{op: "status", path: "/v3/maintenance/status", body: []byte("{}"), mode: modeRead, anyMember: true}
	var s *Status
	err := c.askOne(ctx, ep, r, func(rd *jsonwire.Reader) error {
		s = new(Status)
		s.decode(rd)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Status) decode(rd *jsonwire.Reader) {
	d := decoder{rd, 0}
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&s.Header)
		case "version":
			s.Version = d.String()
		case "storageVersion":
			s.StorageVersion = d.String()
		case "dbSize":
			s.DBSize = d.Int64()
		case "dbSizeInUse":
			s.DBSizeInUse = d.Int64()
		case "dbSizeQuota":
			s.Quota = d.Int64()
		case "leader":
			s.Leader = MemberID(d.Uint64())
		case "raftTerm":
			s.RaftTerm = d.Uint64()
		case "raftIndex":
			s.RaftIndex = d.Uint64()
		case "raftAppliedIndex":
			s.AppliedIndex = d.Uint64()
		case "isLearner":
			s.Learner = d.Bool()
		case "errors":
			s.Errors = appendStrings(s.Errors, rd)
		}
	}
}

// An EndpointStatus is the status of the member at one endpoint, or why there
// is none.
type EndpointStatus struct {
	Endpoint string
	Status   *Status // nil if Err is set
	Err      error
}

// Statuses asks the members at all of the client's endpoints at once, each
// once.
func (c *Client) Statuses(ctx context.Context) []EndpointStatus {
	out := make([]EndpointStatus, len(c.eps.list))
	var wg sync.WaitGroup
	for i, ep := range c.eps.list {
		wg.Go(func() {
			out[i].Endpoint = ep.url
			out[i].Status, out[i].Err = c.status(ctx, ep)
		})
	}
	wg.Wait()
	return out
}

// endpoint finds the endpoint that a caller names.
func (c *Client) endpoint(op, name string) (*endpoint, error) {
	u, err := parseEndpoint(name, c.cfg.TLS.configured())
	if err != nil {
		return nil, invalid(op, "", fmt.Errorf("endpoint %w", err))
	}
	i := slices.IndexFunc(c.eps.list, func(ep *endpoint) bool { return ep.url == u.String() })
	if i < 0 {
		return nil, invalid(op, "", fmt.Errorf("%q is none of the client's endpoints %q", u, c.Endpoints()))
	}
	return c.eps.list[i], nil
}

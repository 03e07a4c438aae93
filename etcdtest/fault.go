package etcdtest

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Fault is something that goes wrong with certain requests. The first fields
// say with which, the others with what happens to them; several may be set and
// happen in the order they stand in. The zero Fault hits every request and
// does nothing to it, which counts them.
type Fault struct {
	// Path is the request's path, such as "/v3/kv/txn". Empty means any.
	Path string
	// Members are the members it hits, counted from 0. Empty means all.
	Members []int
	// Match picks requests by what is in them; nil means all. It must not call
	// methods of the Server.
	Match func(*Request) bool
	// Skip lets the first matching requests through.
	Skip int
	// Times is how many requests it hits after those; 0 means all.
	Times int

	// Delay holds the request up before it is carried out.
	Delay time.Duration
	// Hold holds the request up until the channel is closed. A request whose
	// client has gone meanwhile is not carried out.
	Hold <-chan struct{}
	// Late holds the request up until the channel is closed, and carries it out
	// then even if its client has long gone: a paused server that applies an
	// abandoned write after others were answered.
	Late <-chan struct{}
	// LoseRequest breaks the connection; the request is not carried out.
	LoseRequest bool
	// Refuse answers with an error instead of carrying the request out.
	Refuse *Error
	// Reply answers with something else instead of carrying the request out.
	Reply *Reply
	// Commit carries the request out nevertheless before Refuse or Reply.
	Commit bool

	// DelayReply holds the reply up after the request was carried out.
	DelayReply time.Duration
	// HoldReply holds the reply up until the channel is closed.
	HoldReply <-chan struct{}
	// LoseReply breaks the connection after the request was carried out.
	LoseReply bool
	// CutReply sends that many bytes of the reply's body and breaks the
	// connection. On a stream all its messages count.
	CutReply int
}

// Injected is a fault in place.
type Injected struct {
	s       *Server
	fault   Fault
	seen    int
	hits    int
	removed bool
	changed chan struct{} // closed at the next hit
}

// Inject puts a fault in place. Of several that hit one request, each does its
// part, in the order of injection.
func (s *Server) Inject(f Fault) *Injected {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := &Injected{s: s, fault: f, changed: make(chan struct{})}
	s.faults = append(s.faults, in)
	return in
}

// Remove takes the fault out. Requests that it holds up stay held up.
func (in *Injected) Remove() {
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	in.removed = true
	in.s.faults = slices.DeleteFunc(in.s.faults, func(o *Injected) bool { return o == in })
}

// Hits returns how many requests the fault has hit.
func (in *Injected) Hits() int {
	in.s.mu.Lock()
	defer in.s.mu.Unlock()
	return in.hits
}

// Await waits until the fault has hit n requests.
func (in *Injected) Await(ctx context.Context, n int) error {
	for {
		in.s.mu.Lock()
		hits, changed := in.hits, in.changed
		in.s.mu.Unlock()
		if hits >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("etcdtest: await hit %d of fault on %q, %d so far: %w", n, in.fault.Path, hits, context.Cause(ctx))
		}
	}
}

// faultsFor returns the faults that hit a request and counts it for them.
func (s *Server) faultsFor(r *Request) []*Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Fault
	for _, in := range s.faults {
		f := &in.fault
		if f.Path != "" && f.Path != r.Path || len(f.Members) > 0 && !slices.Contains(f.Members, r.Member) ||
			f.Match != nil && !f.Match(r) {
			continue
		}
		in.seen++
		if in.seen <= f.Skip || f.Times > 0 && in.seen > f.Skip+f.Times {
			continue
		}
		in.hits++
		close(in.changed)
		in.changed = make(chan struct{})
		out = append(out, f)
	}
	return out
}

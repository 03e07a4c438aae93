package etcdtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one request under way.
type call struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context // ends when the client is gone or its time is up
	member  int
	born    int // how often the member had been started when the call came
	path    string
	kind    kind
	request *Request // as faults see it
	user    *login
	leader  bool // the client wants an error where there is no leader
}

// begin reads what the headers say.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) (*call, context.CancelFunc) {
	c := &call{
		s: s, w: w, r: r, path: r.URL.Path, member: s.memberOf(r),
		leader: r.Header.Get("Grpc-Metadata-Hasleader") == "true",
	}
	s.mu.Lock()
	c.born = s.members[c.member].starts
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.ctx, cancel)
	c.ctx = ctx
	end := func() { stop(); cancel() }
	if d, ok := parseTimeout(r.Header.Get("Grpc-Timeout")); ok {
		tctx, tcancel := context.WithTimeout(ctx, d)
		c.ctx = tctx
		return c, func() { tcancel(); end() }
	}
	return c, end
}

// parseTimeout reads a gRPC timeout: digits and a unit.
func parseTimeout(v string) (time.Duration, bool) {
	units := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': 1,
	}
	if len(v) < 2 {
		return 0, false
	}
	unit, ok := units[v[len(v)-1]]
	n, err := strconv.ParseInt(v[:len(v)-1], 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, false
	}
	return min(time.Duration(n), 1<<62/unit) * unit, true
}

// contextError is what the gateway answers when a call's time is up.
func contextError(ctx context.Context) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Code: DeadlineExceeded, Message: "context deadline exceeded"}
	}
	return &Error{Code: Canceled, Message: "context canceled"}
}

// serveUnary answers one request with one reply.
func (s *Server) serveUnary(c *call, rt *route) {
	c.kind = rt.kind
	body, rerr := io.ReadAll(c.r.Body)
	if rerr != nil {
		s.writeError(c.w, &Error{Code: InvalidArgument, Message: rerr.Error()})
		return
	}
	o, perr := newParser(bytes.NewReader(body)).next()
	c.request = &Request{Path: c.path, Member: c.member, Body: o}
	s.withFaults(c, func() ([]byte, *Error) {
		if perr != nil && !errors.Is(perr, io.EOF) {
			return nil, &Error{Code: InvalidArgument, Message: perr.Error()}
		}
		rep, err := s.answer(c, rt, o)
		if err != nil {
			return nil, err
		}
		return s.marshal(rep), nil
	})
}

// answer decodes and carries out one unary request.
func (s *Server) answer(c *call, rt *route, body map[string]any) (any, *Error) {
	d := &decoder{old: s.minor <= 5}
	req, err := rt.decode(d, body)
	if d.err != nil {
		return nil, d.err
	}
	if e := s.checkSize(d.size, rt.kind); e != nil {
		return nil, e
	}
	if e := s.ready(c); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	if t, ok := req.(*txnRequest); ok && t.readOnly() {
		c.kind = reads
	}
	if r, ok := req.(*rangeRequest); ok && r.serializable {
		c.kind = local
	}
	if r, ok := req.(memberRequest); ok && rt.kind == reads && !r.linearizable {
		c.kind = local
	}
	return s.inOrder(c, func() (any, *Error) { return rt.apply(c, req) })
}

// ready refuses a call before anything else is looked at: where it wants a
// leader and there is none, and while its token is from the future.
func (s *Server) ready(c *call) *Error {
	s.mu.Lock()
	leaderless := !s.hasLeader(c.member)
	s.mu.Unlock()
	if c.leader && leaderless {
		return errNoLeader
	}
	return s.awaitToken(c.ctx, s.tokenOf(c.r))
}

// inOrder runs f, under the mutex, once the cluster can serve a call of that
// kind. While it can't, the call waits, and fails when its time is up.
func (s *Server) inOrder(c *call, f func() (any, *Error)) (any, *Error) {
	var giveUp <-chan time.Time
	for {
		s.mu.Lock()
		m := s.members[c.member]
		if s.closed || m.starts != c.born || m.down {
			s.mu.Unlock()
			return nil, errStopped
		}
		if m.paused == nil && (c.kind == local || s.hasLeader(c.member)) {
			rep, err := s.carryOut(c, f)
			s.mu.Unlock()
			return rep, err
		}
		changed := s.change()
		s.mu.Unlock()
		if giveUp == nil {
			t := time.NewTimer(s.opts.requestTimeout)
			defer t.Stop()
			giveUp = t.C
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			return nil, contextError(c.ctx)
		case <-giveUp:
			switch c.kind {
			case reads:
				return nil, errTimeout
			case leases:
				return nil, errNoLeader
			}
			return nil, &Error{Code: DeadlineExceeded, Message: "context deadline exceeded"}
		}
	}
}

// carryOut runs f for a call whose turn it is. The caller holds the mutex.
func (s *Server) carryOut(c *call, f func() (any, *Error)) (any, *Error) {
	c.user = s.logIn(c.member, s.tokenOf(c.r))
	if c.user != nil && c.user.err != nil && c.path != "/v3/auth/authenticate" {
		return nil, c.user.err
	}
	if c.kind == writes {
		s.applied++
		s.broadcast()
		if strings.HasPrefix(c.path, "/v3/kv/") || strings.HasPrefix(c.path, "/v3/lease/") {
			if err := s.healthy(); err != nil {
				return nil, err
			}
		}
	}
	return f()
}

// checkSize refuses what is too large: for the transport, or for a proposal.
func (s *Server) checkSize(n int, k kind) *Error {
	const overhead = 512 << 10
	if limit := s.opts.maxRequestBytes + overhead; n > limit {
		return tooLargeForTransport(n, limit)
	}
	if k == writes && n > s.opts.maxRequestBytes {
		return errTooLarge
	}
	return nil
}

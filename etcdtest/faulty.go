package etcdtest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// withFaults carries a unary request out between the faults that hit it, and
// sends the reply.
func (s *Server) withFaults(c *call, carryOut func() ([]byte, *Error)) {
	fs := s.faultsFor(c.request)
	if !pause(c.ctx, s.onTheWay()) {
		c.drop()
		return
	}
	ctx, ok := c.before(fs)
	if !ok {
		c.drop()
		return
	}
	refuse, reply, commit := instead(fs)
	var body []byte
	var err *Error
	if refuse == nil && reply == nil || commit {
		c.ctx = ctx
		body, err = carryOut()
	}
	cutAt, ok := c.after(fs)
	switch {
	case !ok || !pause(s.ctx, s.onTheWay()):
		c.drop()
	case reply != nil:
		reply.write(c.w)
	case refuse != nil:
		s.writeError(c.w, refuse)
	case err == errStopped && s.gone(c):
		c.drop()
	case err != nil:
		s.writeError(c.w, err)
	case cutAt > 0 && cutAt < len(body):
		s.writeJSON(c.w, http.StatusOK, body, cutAt)
		c.hangUp()
	default:
		s.writeJSON(c.w, http.StatusOK, body, len(body))
	}
}

// onTheWay draws how long a request or a reply is on its way.
func (s *Server) onTheWay() time.Duration {
	if s.opts.latency == 0 {
		return 0
	}
	return time.Duration(rand.Int64N(int64(s.opts.latency) + 1))
}

// gone says whether the member was killed since the call came.
func (s *Server) gone(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[c.member].starts != c.born
}

// before lets the faults act that come before the request is carried out. It
// returns the context to carry it out with, and false where the request is
// lost.
func (c *call) before(fs []*Fault) (context.Context, bool) {
	ctx := c.ctx
	for _, f := range fs {
		if !pause(ctx, f.Delay) || !await(ctx, f.Hold) {
			return ctx, false
		}
		if f.Late != nil {
			// From here on the request lives as long as the server.
			ctx = c.s.ctx
			if !await(ctx, f.Late) {
				return ctx, false
			}
		}
		if f.LoseRequest {
			return ctx, false
		}
	}
	return ctx, true
}

// instead says what is answered in place of the real reply.
func instead(fs []*Fault) (refuse *Error, reply *Reply, commit bool) {
	for _, f := range fs {
		if refuse == nil && reply == nil && (f.Refuse != nil || f.Reply != nil) {
			refuse, reply, commit = f.Refuse, f.Reply, f.Commit
		}
	}
	return refuse, reply, commit
}

// after lets the faults act that come after the request was carried out. It
// returns where to cut the reply, if at all, and false where it is lost.
func (c *call) after(fs []*Fault) (cutAt int, ok bool) {
	for _, f := range fs {
		if !pause(c.s.ctx, f.DelayReply) || !await(c.s.ctx, f.HoldReply) || f.LoseReply {
			return 0, false
		}
		if f.CutReply > 0 && (cutAt == 0 || f.CutReply < cutAt) {
			cutAt = f.CutReply
		}
	}
	return cutAt, true
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func await(ctx context.Context, c <-chan struct{}) bool {
	if c == nil {
		return true
	}
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// drop breaks the connection without another byte. A request that came
// straight to ServeHTTP loses its connection too, if it has one to lose.
func (c *call) drop() {
	if sc := connOf(c.r); sc != nil {
		sc.abort()
		return
	}
	if conn, _, err := http.NewResponseController(c.w).Hijack(); err == nil {
		conn.Close()
		return
	}
	c.s.writeError(c.w, errStopped)
}

// hangUp closes the connection after what was written.
func (c *call) hangUp() {
	_ = http.NewResponseController(c.w).Flush() // a broken connection is what is wanted
	if sc := connOf(c.r); sc != nil {
		sc.Close()
		return
	}
	if conn, _, err := http.NewResponseController(c.w).Hijack(); err == nil {
		conn.Close()
	}
}

package etcd

import (
	"context"
	"errors"
	"time"
)

// renewEvery: a session renews its lease when this part of the TTL has passed.
const renewEvery = 3

// run keeps the lease alive until the session ends.
//
// A failed attempt is followed by one at another member at once and, when all
// have been asked, by the next round after a short pause. No attempt gets more
// than a sixth of the TTL, so that a member which hangs costs little of what is
// left; from round to round they get more, in case all are slow. Only where the
// password is refused is nobody else asked at once, and the pause long: servers
// take their time for a password on purpose, and other processes may have the
// same one.
func (s *Session) run() {
	defer close(s.done)
	defer s.tell()
	defer s.janitor.wait()
	for {
		next := s.renewedAt().Add(s.ttl / renewEvery)
		if sleep(s.ctx, s.c.life, time.Until(next)) != nil {
			_ = s.Err() // notices the end of the client
			return
		}
		if !s.renew() {
			return
		}
	}
}

// tell logs a loss. It does so here, last and without the mutex, because a log
// may be stuck, and must not keep anybody from learning of the loss.
func (s *Session) tell() {
	cause := context.Cause(s.ctx)
	if cause != nil && !errors.Is(cause, ErrSessionClosed) && !errors.Is(cause, ErrClosed) {
		s.c.log.Warn("etcd session ended", "lease", s.id.String(), "error", cause)
	}
}

func (s *Session) renewedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.sent
}

// renew renews the lease. It returns false when the session has ended.
func (s *Session) renew() bool {
	eps := s.c.eps
	pause := newBackoff()
	pause.MaxInterval = max(s.ttl/20, pause.InitialInterval)
	attempt := 0
	var asked uint64
	for round := 1; ; round++ {
		refused := false
		if eps.allAsked(asked) {
			asked = 0
		}
		for !refused && !eps.allAsked(asked) {
			if s.Err() != nil {
				return false
			}
			attempt++
			ep := eps.pick(asked)
			asked |= 1 << (eps.index(ep) % 64)
			var settled bool
			if settled, refused = s.renewAt(ep, attempt, time.Duration(round)*s.ttl/6); settled {
				return s.Err() == nil
			}
		}
		wait := min(pause.NextBackOff(), s.half())
		if refused {
			wait = s.ttl / 6
		}
		if sleep(s.ctx, s.c.life, wait) != nil {
			_ = s.Err()
			return false
		}
	}
}

// half gives half of the time that is left, so that attempts follow each other
// the faster the nearer the end is: a cluster that is well again at the last
// moment is not missed for a pause.
func (s *Session) half() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.last.deadline())/2, 5*time.Millisecond)
}

// renewAt asks one member once. The matter is settled when the lease is renewed,
// or gone; refused tells that user name or password were.
func (s *Session) renewAt(ep *endpoint, attempt int, bound time.Duration) (settled, refused bool) {
	l := &Lease{ID: s.id}
	r := keepAliveRequest(s.id)
	r.timeout = min(bound, s.c.cfg.AttemptTimeout)
	f := s.c.attempt(s.ctx, ep, r, attempt, l.decodeKeepAlive)
	if f != nil && f.verdict == verdictToken { // the token is dropped; this fetches another
		f = s.c.attempt(s.ctx, ep, r, attempt, l.decodeKeepAlive)
	}

	if f != nil && s.ctx.Err() == nil {
		s.c.log.Debug("etcd session was not renewed", "lease", s.id.String(), "endpoint", ep.url, "attempt", attempt, "error", f.err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return true, false
	}
	if f != nil {
		s.err = f.err
		return false, f.verdict == verdictFinal && errors.Is(f.err, ErrUnauthenticated)
	}
	if s.origin != 0 && l.Header.ClusterID != 0 && l.Header.ClusterID != s.origin {
		s.err = &Error{Op: r.op, On: r.on, Endpoint: ep.url, Kind: ErrClusterChanged}
		s.finish(ErrClusterChanged)
		return true, false
	}
	if l.TTL <= 0 {
		s.err = &Error{Op: r.op, On: r.on, Endpoint: ep.url, Kind: ErrLeaseNotFound}
		if s.last.over(time.Now()) {
			s.finish(ErrSessionExpired)
		} else {
			s.finish(ErrSessionRevoked)
		}
		return true, false
	}
	// If the deadline has passed meanwhile and nobody has looked, the lease
	// lived on all the same: the server would not have renewed it otherwise.
	s.last, s.err = newRenewal(r.began, l.TTL-s.margin), nil
	s.alarm.Reset(time.Until(s.last.deadline()))
	return true, false
}

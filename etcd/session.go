package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Session is a lease that is kept alive as long as the session lives, and the
// lifetime of everything that hangs on it: locks, terms, claims, presence.
// One session a process is enough for any number of them. It is safe for use
// by many goroutines at once.
//
// Its context ends, with a *SessionError as its cause, when the session is
// closed, when the server says that the lease is gone, and, at the latest, at
// the local deadline: the lease's TTL after the last successful renewal was
// sent, less a safety margin. The server counts from when it received that
// renewal, which is later. So after an expiry nobody else can get what hung on
// the lease before the context has ended here. No clock can promise that of a
// lease that somebody revokes or a key that somebody deletes: those show when
// the next renewal or a watch tells, and a guard in the caller's transaction is
// what protects from them.
//
// A timer can fire late, when the process was paused. Err does not rely on
// one: it looks at the clocks itself. See SessionError for what it tells. Both
// the monotonic clock and wall time are asked, because the former stands still
// while the machine is suspended; so setting the wall clock forward by more
// than what is left of the TTL ends a session.
type Session struct {
	c      *Client
	id     LeaseID
	ttl    time.Duration
	margin time.Duration
	origin uint64 // the cluster that granted the lease

	ctx  context.Context // ends with the session
	end  context.CancelCauseFunc
	done chan struct{} // closed when the goroutine that renews has ended

	closing chan struct{} // holds a token while a Close is under way
	revoked bool          // the lease is known to be gone; guarded by closing

	mu    sync.Mutex
	last  renewal
	err   error       // why the last attempt to renew failed
	alarm *time.Timer // looks at the clocks at the deadline

	janitor janitor
}

// Defaults of a session.
const (
	// DefaultSessionTTL is the TTL of a session's lease.
	DefaultSessionTTL = 10 * time.Second
	// minMargin is the least safety margin that is chosen by default.
	minMargin = 100 * time.Millisecond
)

// A SessionOption changes how NewSession makes a session.
type SessionOption interface{ applySession(*sessionOptions) }

type sessionOptions struct {
	ttl    time.Duration
	margin time.Duration
	given  bool // the margin was given
	lease  LeaseID
	adopt  bool
}

type sessionOption func(*sessionOptions)

func (f sessionOption) applySession(o *sessionOptions) { f(o) }

// WithTTL sets the TTL of the session's lease: how long what hangs on it stays
// when the process dies, and how long the process can be without etcd before
// it has to give up. Default 10 s; rounded up to whole seconds, at least one
// (the server may make it two). It is renewed every third of it.
func WithTTL(d time.Duration) SessionOption {
	return sessionOption(func(o *sessionOptions) { o.ttl = d })
}

// WithSafetyMargin sets how long before the lease can run out the session ends
// here, which is the time that whoever hangs on it has to stop, and what a
// difference in clock speed may eat. At most half of the TTL. Default: a tenth
// of the TTL, at least 100 ms.
func WithSafetyMargin(d time.Duration) SessionOption {
	return sessionOption(func(o *sessionOptions) { o.margin, o.given = d, true })
}

// WithExistingLease takes over an existing lease instead of asking for one; WithTTL is
// of no meaning then. The session owns the lease from there on: Close revokes
// it.
func WithExistingLease(id LeaseID) SessionOption {
	return sessionOption(func(o *sessionOptions) { o.lease, o.adopt = id, true })
}

// NewSession makes a session with a lease of its own. ctx bounds the making
// only; the session lives until Close, a loss, or the end of the client.
//
// If it fails after the server has granted the lease, that lease is left to run
// out; no key is bound to it.
func NewSession(ctx context.Context, c *Client, opts ...SessionOption) (*Session, error) {
	const op = "session"
	o := sessionOptions{ttl: DefaultSessionTTL}
	for _, opt := range opts {
		if opt != nil {
			opt.applySession(&o)
		}
	}
	switch {
	case c == nil:
		return nil, invalid(op, "", errors.New("no client"))
	case o.adopt && o.lease == 0:
		return nil, invalid(op, "", errors.New("lease id 0 means no lease"))
	case o.given && o.margin < 0:
		return nil, invalid(op, "", fmt.Errorf("the safety margin is negative: %v", o.margin))
	case o.given && !o.adopt && o.margin > o.ttl/2 && o.ttl > 0:
		return nil, invalid(op, "", marginError(o.margin, o.ttl))
	}
	lease, margin, err := o.obtain(ctx, c)
	if err != nil {
		return nil, err
	}
	return startSession(c, lease, margin)
}

func startSession(c *Client, lease *Lease, margin time.Duration) (*Session, error) {
	s := &Session{
		c: c, id: lease.ID, ttl: lease.TTL, margin: margin, origin: lease.Header.ClusterID,
		done:    make(chan struct{}),
		closing: make(chan struct{}, 1),
		last:    newRenewal(lease.Since, lease.TTL-margin),
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := c.start(s.run); err != nil {
		s.end(err)
		return nil, &Error{Op: "session", On: s.id.String(), Kind: ErrClosed}
	}
	s.alarm = time.AfterFunc(time.Until(s.last.deadline()), func() { _ = s.Err() })
	return s, nil
}

// Format shows the lease and where the client points to, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) {
	if s == nil {
		_, _ = f.Write([]byte("etcd.Session(nil)"))
		return
	}
	fmt.Fprintf(f, "etcd.Session{lease=%v %v}", s.id, s.c)
}

// Lease gives the session's lease, for keys that are to go with it.
func (s *Session) Lease() LeaseID { return s.id }

// Client gives the client that the session was made with.
func (s *Session) Client() *Client { return s.c }

// TTL is the lease's time to live, as the server granted it.
func (s *Session) TTL() time.Duration { return s.ttl }

// SafetyMargin is how long before the lease can run out the session ends.
func (s *Session) SafetyMargin() time.Duration { return s.margin }

// Context ends with the session; context.Cause then gives the *SessionError.
func (s *Session) Context() context.Context { return s.ctx }

// Done is closed when the session ends.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Deadline is when the session ends unless it is renewed before.
func (s *Session) Deadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.deadline()
}

// Err tells why the session has ended, or nil while it lives. It looks at the
// clocks, so it is right even where a timer is late; a session that it finds
// expired has ended.
func (s *Session) Err() error {
	if s.ctx.Err() == nil {
		s.mu.Lock()
		switch {
		case s.c.life.Err() != nil:
			s.finish(ErrClosed)
		case s.last.over(time.Now()):
			s.finish(ErrSessionExpired)
		}
		s.mu.Unlock()
	}
	return context.Cause(s.ctx)
}

// Bind derives a context that ends with ctx or with the session, whichever is
// first, and has the cause of that. The function frees what it holds; it must
// be called.
func (s *Session) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	bound, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	return bound, func() {
		stop()
		cancel(nil)
	}
}

// Close ends the session: its context first, then its lease, and with that
// every key bound to it. It returns when nothing of the session runs any more,
// or when ctx ends. Where the lease could not be revoked it says so, and the
// lease runs out by itself; Close may then be called again. A call while
// another is under way waits for that. After the first success it does nothing.
//
// Whoever works under a lock of the session is to stop before: Close does not
// wait for them.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	s.finish(ErrSessionClosed)
	s.mu.Unlock()
	select {
	case s.closing <- struct{}{}:
	case <-ctx.Done():
		return s.closeError(ctxErr(ctx))
	}
	defer func() { <-s.closing }()
	if s.revoked {
		return nil
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return s.closeError(ctxErr(ctx))
	}
	if err := s.c.Revoke(ctx, s.id); err != nil && !errors.Is(err, ErrLeaseNotFound) {
		return s.closeError(err)
	}
	s.revoked = true
	return nil
}

func (s *Session) closeError(err error) error {
	return fmt.Errorf("etcd: close session: lease %v is not revoked and runs out within %v: %w", s.id, s.ttl, err)
}

// finish ends the session if it has not ended. The caller holds the mutex.
func (s *Session) finish(kind error) {
	if s.ctx.Err() != nil {
		return
	}
	e := &SessionError{
		Lease: s.id, TTL: s.ttl, Renewed: s.last.sent, Deadline: s.last.deadline(), Ended: time.Now(), Kind: kind,
	}
	if kind != ErrSessionClosed && kind != ErrClosed {
		e.Err = s.err
	}
	if s.alarm != nil {
		s.alarm.Stop()
	}
	s.end(e)
}

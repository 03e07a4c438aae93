package etcd

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Why a session ended, for errors.Is. The error itself is a *SessionError.
// A session ends with ErrClosed or ErrClusterChanged as well.
var (
	// ErrSessionExpired: the lease was not renewed in time, so it may have run
	// out, or this process may have been paused or suspended for too long.
	ErrSessionExpired = errors.New("session expired")
	// ErrSessionRevoked: the server says that the lease is gone although its
	// time was not over: somebody revoked it.
	ErrSessionRevoked = errors.New("session's lease was revoked")
	// ErrSessionClosed: Close was called.
	ErrSessionClosed = errors.New("session is closed")
)

// A SessionError is why a session ended. It answers errors.Is for its Kind and
// for its cause.
type SessionError struct {
	Lease    LeaseID
	TTL      time.Duration // of the lease, as granted
	Renewed  time.Time     // when the last renewal that succeeded was sent
	Deadline time.Time     // until when the session was good for that reason
	Ended    time.Time     // when the end was noticed
	Kind     error         // ErrSessionExpired, ErrSessionRevoked, ErrSessionClosed, ErrClosed or ErrClusterChanged
	Err      error         // why the last attempt to renew failed; may be nil
}

// Error tells the lease, the reason and, of an expiry, the times.
func (e *SessionError) Error() string {
	const clock = "15:04:05.000"
	var b strings.Builder
	fmt.Fprintf(&b, "etcd: session of lease %v: %v", e.Lease, e.Kind)
	if e.Kind == ErrSessionExpired {
		fmt.Fprintf(&b, ": renewed last at %s for %v, good until %s, now %s",
			e.Renewed.Format(clock), e.TTL, e.Deadline.Format(clock), e.Ended.Format(clock))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Is makes errors.Is find the reason.
func (e *SessionError) Is(target error) bool { return target == e.Kind }

// Unwrap gives the cause.
func (e *SessionError) Unwrap() error { return e.Err }

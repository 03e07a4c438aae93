package etcd

import (
	"errors"
	"strings"
)

// ErrWatchClosed: Close was called on the watch.
var ErrWatchClosed = errors.New("watch is closed")

// A CompactedError ends a watch: events it still had to deliver have been
// compacted. It answers errors.Is for ErrCompacted.
type CompactedError struct {
	// Revision is the first revision that can still be watched from. What
	// happened between the last event delivered and it can only be found by
	// reading the state.
	Revision int64
}

// Error says from where to go on.
func (e *CompactedError) Error() string {
	return ErrCompacted.Error() + ": the oldest that can be watched from is " + itoa(e.Revision)
}

// Is makes errors.Is find ErrCompacted.
func (e *CompactedError) Is(target error) bool { return target == ErrCompacted }

// staleTokenReason reports whether the server cancelled a watch because of the
// token of its connection, so that a connection with a new one may help.
func staleTokenReason(reason string) bool {
	return strings.Contains(reason, "invalid auth token") ||
		strings.Contains(reason, "user name is empty") ||
		strings.Contains(reason, "revision of auth store is old") ||
		strings.Contains(reason, "token expired") ||
		strings.Contains(reason, "auth token is expired")
}

// refused is the error of a watch that the server cancelled for a reason.
func refused(reason string) *Error {
	e := &Error{Message: reason}
	switch {
	case strings.Contains(reason, "permission denied"):
		e.Kind, e.Code = ErrPermissionDenied, CodePermissionDenied
	case staleTokenReason(reason):
		e.Kind, e.Code = ErrUnauthenticated, CodeUnauthenticated
	case strings.Contains(reason, "compacted"):
		e.Kind, e.Code = ErrCompacted, CodeOutOfRange
	case strings.Contains(reason, "range is empty"):
		e.Kind, e.Code = ErrInvalid, CodeInvalidArgument
	case reason == "":
		e.Message = "cancelled by the server without a reason"
	}
	return e
}

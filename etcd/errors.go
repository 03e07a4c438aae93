package etcd

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// What went wrong, for errors.Is. One error may answer to several.
var (
	// ErrUnknownOutcome: the request may or may not have been applied, because
	// the reply was lost, cut off or unreadable. Every error of a write that
	// does not answer to it means that nothing was applied.
	ErrUnknownOutcome = errors.New("outcome unknown: the request may have been applied")
	// ErrUnavailable: no endpoint gave an answer, or none had a leader.
	ErrUnavailable = errors.New("etcd is unavailable")
	// ErrNoLeader: the member has no leader, so the cluster has no quorum as
	// far as that member sees.
	ErrNoLeader = errors.New("no leader")
	// ErrCompacted: the revision asked for has been compacted.
	ErrCompacted = errors.New("revision has been compacted")
	// ErrFutureRevision: the revision asked for is not reached yet.
	ErrFutureRevision = errors.New("revision is in the future")
	// ErrNoSpace: the server's quota is used up. Deleting still works.
	ErrNoSpace = errors.New("etcd has no space left")
	// ErrTooLarge: the request is larger than the server takes.
	ErrTooLarge = errors.New("request is too large")
	// ErrTooManyOps: the transaction has more operations than the server takes.
	ErrTooManyOps = errors.New("too many operations in a transaction")
	// ErrDuplicateKey: a transaction puts a key twice, or deletes it first.
	ErrDuplicateKey = errors.New("a transaction changes a key twice")
	// ErrKeyNotFound: IgnoreValue or IgnoreLease on a key that is missing.
	ErrKeyNotFound = errors.New("key not found")
	// ErrLeaseNotFound: there is no such lease (any more).
	ErrLeaseNotFound = errors.New("lease not found")
	// ErrLeaseExists: a lease with the chosen id is there already.
	ErrLeaseExists = errors.New("lease already exists")
	// ErrPermissionDenied: the user may not do that.
	ErrPermissionDenied = errors.New("permission denied")
	// ErrUnauthenticated: user name or password is wrong or missing.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrInvalid: the request makes no sense; the message says what.
	ErrInvalid = errors.New("invalid argument")
	// ErrRateLimited: the server has too many requests to apply.
	ErrRateLimited = errors.New("too many requests")
	// ErrNotEtcd: what answers at the endpoint is no etcd gateway.
	ErrNotEtcd = errors.New("not an etcd gateway")
	// ErrTooOld: the server is older than etcd 3.4.
	ErrTooOld = errors.New("etcd is too old: 3.4 or newer is needed")
	// ErrBadReply: the reply is malformed or larger than Config.MaxReplyBytes.
	ErrBadReply = errors.New("bad reply")
	// ErrClusterChanged: another cluster, or an earlier state of it, answers at
	// the endpoints than before: it was wiped or restored.
	ErrClusterChanged = errors.New("the cluster was wiped, restored or replaced")
	// ErrClosed: the client is closed.
	ErrClosed = errors.New("client is closed")
)

// An Error is a failed call. It says which operation on what failed where, and
// answers errors.Is for the sentinels of this package and for its cause.
type Error struct {
	Op       string // what was tried: "put", "lease grant", ...
	On       string // the key, lease, user ... it was tried on; may be empty
	Endpoint string // the endpoint asked last; may be empty
	Code     Code   // the server's gRPC code; CodeOK if the server did not answer with an error
	Message  string // the server's words; may be empty
	Unknown  bool   // whether the request may have been applied
	Kind     error  // the sentinel that fits best; may be nil
	Err      error  // the cause; may be nil
}

// Error tells all that is known, and never a secret.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("etcd: ")
	b.WriteString(e.Op)
	if e.On != "" {
		b.WriteString(" " + e.On)
	}
	if e.Endpoint != "" {
		b.WriteString(" at " + e.Endpoint)
	}
	switch {
	case e.Message != "":
		b.WriteString(": " + e.Message)
	case e.Err != nil:
		b.WriteString(": " + e.Err.Error())
	case e.Kind != nil:
		b.WriteString(": " + e.Kind.Error())
	}
	if e.Message != "" && e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Unknown {
		b.WriteString(" (" + ErrUnknownOutcome.Error() + ")")
	}
	return b.String()
}

// Is makes errors.Is find the sentinels.
func (e *Error) Is(target error) bool {
	switch target {
	case nil:
		return false
	case ErrUnknownOutcome:
		return e.Unknown
	case ErrUnavailable:
		return e.Kind == ErrUnavailable || e.Kind == ErrNoLeader
	}
	return e.Kind == target
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// SafeToRetry reports whether err says that nothing was applied, so that
// repeating the call cannot apply it twice. It does not say that repeating
// helps. It is false for nil and for errors this package did not make, except
// that a context that had ended before anything was sent is safe too.
func SafeToRetry(err error) bool {
	if err == nil || errors.Is(err, ErrUnknownOutcome) {
		return false
	}
	var e *Error
	return errors.As(err, &e) || errors.Is(err, ErrClosed)
}

// Code is a gRPC status code, as the gateway reports it.
type Code int

// The codes that etcd uses.
const (
	CodeOK                 Code = 0
	CodeCanceled           Code = 1
	CodeUnknown            Code = 2
	CodeInvalidArgument    Code = 3
	CodeDeadlineExceeded   Code = 4
	CodeNotFound           Code = 5
	CodePermissionDenied   Code = 7
	CodeResourceExhausted  Code = 8
	CodeFailedPrecondition Code = 9
	CodeOutOfRange         Code = 11
	CodeUnimplemented      Code = 12
	CodeInternal           Code = 13
	CodeUnavailable        Code = 14
	CodeDataLoss           Code = 15
	CodeUnauthenticated    Code = 16
)

// quoteKey shows a key for messages, bounded in length.
func quoteKey(k string) string {
	const most = 128
	if len(k) > most {
		return strconv.Quote(k[:most]) + "..."
	}
	return strconv.Quote(k)
}

// invalid is the error for a request that was never sent.
func invalid(op, on string, err error) error {
	return &Error{Op: op, On: on, Kind: ErrInvalid, Err: err}
}

// ctxErr is the error of a context: its cause where it has one of its own, and
// always its Err as well.
func ctxErr(ctx context.Context) error {
	err, cause := over(ctx), context.Cause(ctx)
	if err == nil || cause == nil || cause == err || errors.Is(cause, err) {
		return err
	}
	return errors.Join(err, cause)
}

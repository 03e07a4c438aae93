package etcdtest

import "net/http"

// Code is a gRPC status code.
type Code int

// The gRPC codes that etcd answers with.
const (
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

// HTTPStatus returns the HTTP status that the gateway gives a code.
func (c Code) HTTPStatus() int {
	switch c {
	case 0:
		return http.StatusOK
	case Canceled:
		return 499
	case InvalidArgument, FailedPrecondition, OutOfRange:
		return http.StatusBadRequest
	case DeadlineExceeded:
		return http.StatusGatewayTimeout
	case NotFound:
		return http.StatusNotFound
	case AlreadyExists, Aborted:
		return http.StatusConflict
	case PermissionDenied:
		return http.StatusForbidden
	case Unauthenticated:
		return http.StatusUnauthorized
	case ResourceExhausted:
		return http.StatusTooManyRequests
	case Unimplemented:
		return http.StatusNotImplemented
	case Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Error is an error reply.
type Error struct {
	Code    Code
	Message string
	// Status is the HTTP status; 0 means the one that belongs to Code.
	Status int
}

// Error returns the message that the reply carries.
func (e *Error) Error() string { return e.Message }

func (e *Error) status() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Code.HTTPStatus()
}

// What etcd says, word for word: clients tell errors apart by these texts.
var (
	errEmptyKey      = &Error{Code: InvalidArgument, Message: "etcdserver: key is not provided"}
	errKeyNotFound   = &Error{Code: InvalidArgument, Message: "etcdserver: key not found"}
	errValueProvided = &Error{Code: InvalidArgument, Message: "etcdserver: value is provided"}
	errLeaseProvided = &Error{Code: InvalidArgument, Message: "etcdserver: lease is provided"}
	errTooManyOps    = &Error{Code: InvalidArgument, Message: "etcdserver: too many operations in txn request"}
	errDuplicateKey  = &Error{Code: InvalidArgument, Message: "etcdserver: duplicate key given in txn request"}
	errInvalidSort   = &Error{Code: InvalidArgument, Message: "etcdserver: invalid sort option"}
	errCompacted     = &Error{Code: OutOfRange, Message: "etcdserver: mvcc: required revision has been compacted"}
	errFutureRev     = &Error{Code: OutOfRange, Message: "etcdserver: mvcc: required revision is a future revision"}
	errNoSpace       = &Error{Code: ResourceExhausted, Message: "etcdserver: mvcc: database space exceeded"}
	errCorrupt       = &Error{Code: DataLoss, Message: "etcdserver: corrupt cluster"}
	errTooLarge      = &Error{Code: InvalidArgument, Message: "etcdserver: request is too large"}

	errLeaseNotFound = &Error{Code: NotFound, Message: "etcdserver: requested lease not found"}
	errLeaseExists   = &Error{Code: FailedPrecondition, Message: "etcdserver: lease already exists"}
	errTTLTooLarge   = &Error{Code: OutOfRange, Message: "etcdserver: too large lease TTL"}

	errNoLeader = &Error{Code: Unavailable, Message: "etcdserver: no leader"}
	errStopped  = &Error{Code: Unavailable, Message: "etcdserver: server stopped"}
	errTimeout  = &Error{Code: Unavailable, Message: "etcdserver: request timed out"}
)

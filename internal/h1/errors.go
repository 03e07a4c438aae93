package h1

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// The causes of errors that are this package's own.
var (
	// ErrClosed means that the Pool was closed.
	ErrClosed = errors.New("the connection pool is closed")
	// ErrTooLarge means that the reply is larger than MaxReply.
	ErrTooLarge = errors.New("the reply is too large")
	// ErrMalformed means that what came back is not HTTP/1.1 as it should be.
	ErrMalformed = errors.New("malformed HTTP reply")
	// ErrNotHTTP means that the other side greets in another protocol that is
	// known, so that it cannot have understood the request. It answers for
	// ErrMalformed as well.
	ErrNotHTTP = fmt.Errorf("%w: it is no HTTP", ErrMalformed)
	// ErrRequest means that the Request or the Config can't be sent as it is.
	ErrRequest = errors.New("invalid request")
)

// Error is a failed exchange.
type Error struct {
	Op   string // what failed: "dial", "proxy", "TLS handshake", "write", "read"
	Host string // host:port of the pool
	Path string // of the request; empty for a plain Dial

	// Sent is false where provably not one byte of the request reached the
	// wire. Where it is true, the server may have acted on the request.
	Sent bool

	// Reused tells that the connection had served another exchange before.
	// It may simply have been closed in between.
	Reused bool

	// Err is the cause. For a context that ended it wraps both ctx.Err() and
	// context.Cause(ctx); for a Request.Timeout that passed it wraps
	// os.ErrDeadlineExceeded and is no context error.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s%s: %v", e.Op, e.Host, e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// malformed describes a reply that breaks the rules. The text must not carry
// anything of the reply; see notHTTP for what is none.
func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// cause explains an I/O error: a context that ended or a timeout that passed
// shows on a connection only as its deadline.
func cause(ctx context.Context, timeout time.Duration, deadline time.Time, err error) error {
	if end := ended(ctx); end != nil {
		return end
	}
	if !deadline.IsZero() && (!time.Now().Before(deadline) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)) {
		return fmt.Errorf("no reply within %v: %w", timeout, os.ErrDeadlineExceeded)
	}
	return err
}

// ended returns why ctx has ended, or nil. A dialer that looks at ctx's
// deadline itself may be a moment ahead of ctx.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
			return context.DeadlineExceeded
		}
		return nil
	}
	why := context.Cause(ctx)
	if !errors.Is(why, err) {
		why = fmt.Errorf("%w: %w", err, why)
	}
	return why
}

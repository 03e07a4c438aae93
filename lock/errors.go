package lock

import (
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/line"
)

// What went wrong, for errors.Is. The causes of a loss are also the causes of
// the handle's context. A loss with the session has its cause there:
// etcd.ErrSessionExpired, etcd.ErrSessionRevoked, etcd.ErrSessionClosed,
// etcd.ErrClosed, etcd.ErrClusterChanged.
var (
	// ErrHeld: TryAcquire found the lock held, or others waiting for it.
	ErrHeld = line.ErrHeld
	// ErrQuarantine: nobody holds the lock, and nobody gets it yet; see
	// WithQuarantine. TryAcquire's error answers for ErrHeld as well.
	ErrQuarantine = line.ErrQuarantine
	// ErrNotHeld: nobody holds the lock, or not with that token; or the handle
	// is none that an acquisition gave.
	ErrNotHeld = errors.New("not held")
	// ErrLost: the lock was held, and lost before it was released.
	ErrLost = errors.New("lock lost")
	// ErrReleased: the handle was released.
	ErrReleased = line.ErrReleased
	// ErrDowngraded: the handle was a writer's and was downgraded.
	ErrDowngraded = errors.New("downgraded to reading")
	// ErrDeleted: somebody deleted the lock's key.
	ErrDeleted = line.ErrDeleted
	// ErrBroken: an operator took the lock away; see BrokenError.
	ErrBroken = line.ErrBroken
	// ErrMismatch: others use the name for another kind of lock, or with
	// another limit.
	ErrMismatch = line.ErrMismatch
)

// An Error is a failed operation on a lock. It answers errors.Is for its cause.
type Error struct {
	Op   string // "acquire", "try", "hold", "release", "break", "look at", "downgrade", ...
	Name string // the lock's name, or its raw prefix
	// By tells who stood in the way, as far as known: whoever holds the lock
	// or stands in front.
	By   []Contender
	Lost bool // the lock was held and has been lost
	Err  error
}

// Error tells the operation, the lock, who is in the way, and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "lock: %s %.200q: ", e.Op, e.Name)
	if e.Lost {
		b.WriteString(ErrLost.Error() + ": ")
	}
	if e.Err == nil {
		b.WriteString("failed")
	} else {
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is find ErrLost.
func (e *Error) Is(target error) bool { return e.Lost && target == ErrLost }

// A BrokenError is the cause of a loss by Break. It answers errors.Is for
// ErrBroken.
type BrokenError = line.BrokenError

// failed makes the Error of an operation.
func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Name: name, Err: err}
	var blocked *line.BlockedError
	if errors.As(err, &blocked) {
		for _, m := range blocked.By {
			e.By = append(e.By, contender(m))
		}
	}
	return e
}

// lost makes the Error of a lock that was held.
func lost(op, name string, err error) error {
	return &Error{Op: op, Name: name, Lost: true, Err: err}
}

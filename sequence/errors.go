package sequence

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
)

// What went wrong, for errors.Is. Those of package etcd come through as well.
var (
	// ErrExhausted: there are not as many numbers left; see ExhaustedError.
	ErrExhausted = errors.New("the sequence is exhausted")
	// ErrMismatch: others use the sequence with another configuration; see
	// MismatchError.
	ErrMismatch = errors.New("configurations differ")
	// ErrNotFound: there is no such sequence, and it was not to be created.
	ErrNotFound = errors.New("there is no such sequence")
	// ErrDeleted: the sequence was there, and its key is gone. It never starts
	// again by itself: Set with Force brings it back.
	ErrDeleted = errors.New("the sequence was deleted")
	// ErrForeign: the key holds something that is no sequence of this version.
	ErrForeign = errors.New("the key holds no sequence")
	// ErrUnused: no number was taken yet.
	ErrUnused = errors.New("no number was taken yet")
	// ErrBackwards: Set without Force would give numbers out again.
	ErrBackwards = errors.New("the sequence is further already")
	// ErrClosed: the Cached was closed.
	ErrClosed = errors.New("closed")
	// ErrInvalid: an option or argument makes no sense.
	ErrInvalid = etcd.ErrInvalid
)

// An Error is a failed operation on a sequence. It answers errors.Is for its
// cause.
type Error struct {
	Op   string // "next", "current", "set", ...
	Name string // the sequence's name, or its key
	// Unknown says that the operation may have been carried out. The error
	// then answers errors.Is for etcd.ErrUnknownOutcome.
	Unknown bool
	Err     error
}

// Error tells the operation, the sequence and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("sequence: %s %.200q: %v", e.Op, e.Name, e.Err)
	if e.Unknown && !errors.Is(e.Err, etcd.ErrUnknownOutcome) {
		s += " (" + etcd.ErrUnknownOutcome.Error() + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is find etcd.ErrUnknownOutcome.
func (e *Error) Is(target error) bool { return e.Unknown && target == etcd.ErrUnknownOutcome }

// An ExhaustedError tells how many numbers were left. It answers errors.Is for
// ErrExhausted.
type ExhaustedError struct {
	Config Config
	Wanted uint64 // how many were asked for
	Left   uint64 // how many there are; of one that cycles, in a whole cycle
}

// Error tells how many numbers were left of what.
func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("%v: %d wanted, %d left (%v)", ErrExhausted, e.Wanted, e.Left, e.Config)
}

// Is makes errors.Is find ErrExhausted.
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// A MismatchError tells both configurations. It answers errors.Is for
// ErrMismatch.
type MismatchError struct {
	Key    string
	Stored Config // what the sequence was created with
	Wanted Config // what it was to be used with
}

// Error tells both configurations.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%v: key %.200q has %v; wanted %v", ErrMismatch, e.Key, e.Stored, e.Wanted)
}

// Is makes errors.Is find ErrMismatch.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// A doubt marks an error after which the outcome of a change is unknown.
type doubt struct{ error }

func (d doubt) Unwrap() error { return d.error }

// failed makes the Error of an operation.
func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Name: name, Err: err, Unknown: errors.Is(err, etcd.ErrUnknownOutcome)}
	var d doubt
	if errors.As(err, &d) {
		e.Err, e.Unknown = d.error, true
	}
	return e
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// transient reports whether trying again may help.
func transient(err error) bool {
	if errors.Is(err, etcd.ErrClosed) || errors.Is(err, etcd.ErrNoSpace) || errors.Is(err, etcd.ErrClusterChanged) {
		return false
	}
	return errors.Is(err, etcd.ErrUnknownOutcome)
}

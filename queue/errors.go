package queue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/etcd"
)

// What went wrong, for errors.Is.
var (
	// ErrClaimLost: the delivery's claim is over, so nothing was done under it.
	// It is also the cause of the delivery's context.
	ErrClaimLost = errors.New("the claim is lost")
	// ErrClaimAge: the claim was older than MaxClaimAge, and was given up.
	ErrClaimAge = errors.New("the claim is older than allowed")
	// ErrSettled: the delivery was acknowledged, given back or ended before in
	// another way than now asked for.
	ErrSettled = errors.New("the delivery is settled already")
	// ErrConsumerGone: the consumer's presence was deleted, with its session's
	// lease or by hand; others take its claims over.
	ErrConsumerGone = errors.New("the consumer is gone")
	// ErrConsumerClosed: Close was called.
	ErrConsumerClosed = errors.New("the consumer is closed")
	// ErrDuplicate: a job with that unique key is there; see DuplicateError.
	ErrDuplicate = errors.New("the unique key is taken")
	// ErrTooLarge: a job or an EnqueueMany is larger than a commit takes.
	ErrTooLarge = errors.New("too large for one commit")
	// ErrFull: etcd has no space left. Acknowledging still works. The error
	// answers for etcd.ErrNoSpace as well.
	ErrFull = errors.New("etcd is full: only acknowledgements go through")
	// ErrNotFound: there is no such job (any more).
	ErrNotFound = errors.New("no such job")
	// ErrClaimed: a consumer is at work on the job.
	ErrClaimed = errors.New("the job is claimed")
	// ErrDamaged: the queue's own bookkeeping is missing, smaller than it was, or
	// not readable. Nothing is overwritten.
	ErrDamaged = errors.New("the queue is damaged")
	// ErrExpired: the job's time to live was over before it was claimed.
	ErrExpired = errors.New("the job has expired")

	// errMoved: what a unit of a batch was to move is not there as read.
	errMoved = errors.New("moved by somebody else")
)

// An Error is a failed operation on a queue. It answers errors.Is for its cause.
type Error struct {
	Op   string // "enqueue", "receive", "ack", ...
	Name string // the queue's name, or its raw prefix
	Job  string // the job's id, where it is about one
	Err  error
}

// Error tells the operation, the queue, the job and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "queue: %s %.200q", e.Op, e.Name)
	if e.Job != "" {
		b.WriteString(" job " + e.Job)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// A DuplicateError tells who has a unique key. It answers for ErrDuplicate.
type DuplicateError struct {
	Key   string // the unique key
	Owner string // the id of the job that has it
}

// Error names the key and the job.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%v: %.200q belongs to job %s", ErrDuplicate, e.Key, e.Owner)
}

// Is makes errors.Is find ErrDuplicate.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }

// damaged is the error of a key that does not hold what it must.
func damaged(key, format string, args ...any) error {
	return fmt.Errorf("%w: key %.300q %s", ErrDamaged, key, fmt.Sprintf(format, args...))
}

// contradiction is the error of a refusal whose answer shows that all that was
// compared is as it was. Without it the same would be tried again and again.
func contradiction(key string) error {
	return fmt.Errorf("%w: a transaction on %.200q was refused, and the answer does not show why", etcd.ErrBadReply, key)
}

// full marks an error that says that etcd has no space left.
func full(err error) error {
	if errors.Is(err, etcd.ErrNoSpace) && !errors.Is(err, ErrFull) {
		return errors.Join(ErrFull, err)
	}
	return err
}

// transient reports whether an error of a call may pass by itself.
func transient(err error) bool {
	if errors.Is(err, etcd.ErrClosed) || errors.Is(err, etcd.ErrNoSpace) || errors.Is(err, etcd.ErrClusterChanged) {
		return false
	}
	return errors.Is(err, etcd.ErrUnknownOutcome) || errors.Is(err, etcd.ErrUnavailable) || errors.Is(err, etcd.ErrBadReply) ||
		errors.Is(err, etcd.ErrNoLeader) || errors.Is(err, etcd.ErrRateLimited)
}

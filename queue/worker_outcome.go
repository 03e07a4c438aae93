package queue

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Outcome is how a delivery to a Worker ended.
type Outcome struct {
	Job  Job
	What Verdict
	// Err is the handler's error; where the verdict is Lost, why the delivery
	// could not be settled.
	Err   error
	Took  time.Duration // how long the handler was at it
	Delay time.Duration // until the job is due again, if it is
}

// A Verdict says what became of a delivery.
type Verdict uint8

// What can become of a delivery.
const (
	// Done: the job is acknowledged, and gone.
	Done Verdict = iota + 1
	// Retried: the handler failed, and the job is tried again after a delay.
	Retried
	// Snoozed: the job was put off by Snooze.
	Snoozed
	// Buried: the job is a dead letter.
	Buried
	// HandedBack: the handler gave up because its context had ended, and not by
	// the job's timeout: the worker was stopped, for instance. The job is there
	// for others, and the attempt does not count.
	HandedBack
	// Lost: the claim was over, or etcd did not answer for so long, before the
	// delivery was settled. The job is delivered again, unless Err answers
	// etcd.ErrUnknownOutcome: then it may have been settled.
	Lost
	// Settled: the handler has settled the delivery itself.
	Settled
)

// String is the verdict in lower case.
func (v Verdict) String() string {
	names := [...]string{"unknown", "done", "retried", "snoozed", "buried", "handed back", "lost", "settled"}
	if int(v) < len(names) {
		return names[v]
	}
	return names[0]
}

// A ruling is an error of a handler that says what is to be done.
type ruling struct {
	verdict Verdict
	delay   time.Duration
	err     error
}

func (r *ruling) Error() string {
	switch {
	case r.err != nil:
		return r.err.Error()
	case r.verdict == Snoozed:
		return fmt.Sprintf("put off for %v", r.delay)
	}
	return "failed"
}

func (r *ruling) Unwrap() error { return r.err }

// Permanent makes an error with which a handler says that trying again is of no
// use: the job becomes a dead letter at once.
func Permanent(err error) error { return &ruling{verdict: Buried, err: err} }

// RetryIn makes an error with which a handler says when to try again, if there
// are attempts left.
func RetryIn(d time.Duration, err error) error {
	return &ruling{verdict: Retried, delay: min(max(d, 0), maxDelay), err: err}
}

// Snooze makes an error with which a handler puts the job off: it has not
// failed, and the attempt does not count.
func Snooze(d time.Duration) error {
	return &ruling{verdict: Snoozed, delay: min(max(d, 0), maxDelay)}
}

// A PanicError is the failure of a handler, or of a Codec, that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where, as debug.Stack gives it

	whose string // empty: a handler's
}

// Error tells the value and the stack.
func (e *PanicError) Error() string {
	whose := e.whose
	if whose == "" {
		whose = "the handler"
	}
	return fmt.Sprintf("%s panicked: %v\n%s", whose, e.Value, e.Stack)
}

// Unwrap gives the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit is the failure of a handler that ended its goroutine.
var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

// A StillRunningError tells which jobs' handlers did not return although their
// contexts had ended.
type StillRunningError struct{ Jobs []string }

// Error names the jobs.
func (e *StillRunningError) Error() string {
	jobs := e.Jobs
	more := ""
	if len(jobs) > 10 {
		jobs, more = jobs[:10], ", ..."
	}
	return fmt.Sprintf("%d handlers do not return: those of %s%s", len(e.Jobs), strings.Join(jobs, ", "), more)
}

package election

import (
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/line"
)

// What went wrong, for errors.Is. The causes of a lost term are also the causes
// of its context. A loss with the session has its cause there:
// etcd.ErrSessionExpired, etcd.ErrSessionRevoked, etcd.ErrSessionClosed,
// etcd.ErrClosed, etcd.ErrClusterChanged.
var (
	// ErrVacant: nobody leads.
	ErrVacant = errors.New("nobody leads")
	// ErrLost: the term was lost before it was resigned.
	ErrLost = errors.New("leadership lost")
	// ErrResigned: the term was resigned.
	ErrResigned = line.ErrResigned
	// ErrTransferred: the term was handed over, by Transfer.
	ErrTransferred = line.ErrHandedOver
	// ErrDeposed: somebody else gave the leadership to another candidate.
	ErrDeposed = line.ErrDeposed
	// ErrDeleted: somebody deleted the candidate's key.
	ErrDeleted = line.ErrDeleted
	// ErrMismatch: others use the keys of this election for something else, or
	// have changed them.
	ErrMismatch = line.ErrMismatch
	// ErrUnhealthy: the health check failed; see HealthCheck.
	ErrUnhealthy = errors.New("unhealthy")
	// ErrNoCandidate: the candidate that was to lead is not in the line (any
	// more), or was not made by this package.
	ErrNoCandidate = errors.New("no such candidate")
	// ErrRawPrefix: leadership cannot be handed over below a raw prefix.
	ErrRawPrefix = errors.New("leadership cannot be handed over below a raw prefix")
	// ErrChanged: the leadership has changed since it was looked at.
	ErrChanged = line.ErrChanged
	// ErrAsked is the cause of the context of Run's function when somebody
	// asked the leader to hand over; see Ask.
	ErrAsked = errors.New("asked to hand over")
)

// An Error is a failed operation on an election. It answers errors.Is for its
// cause.
type Error struct {
	Op   string // "campaign", "lead", "proclaim", "resign", "transfer", "observe", ...
	Name string // the election's name, or its raw prefix
	// By tells who stood in front of a campaign that ended, as far as known.
	By   []Candidate
	Lost bool // the term was lost
	Err  error
}

// Error tells the operation, the election, and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "election: %s %.200q: ", e.Op, e.Name)
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

// failed makes the Error of an operation.
func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Name: name, Err: err}
	var blocked *line.BlockedError
	if errors.As(err, &blocked) {
		for _, m := range blocked.By {
			e.By = append(e.By, candidate(m))
		}
	}
	return e
}

// lost makes the Error of a term that is over before it was resigned.
func lost(op, name string, err error) error {
	return &Error{Op: op, Name: name, Lost: true, Err: err}
}

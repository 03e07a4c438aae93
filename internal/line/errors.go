package line

import (
	"errors"
	"fmt"
)

// Why a contender is no longer in the line, for errors.Is. Beside these it is
// the end of its session (etcd.ErrSessionExpired and so on).
var (
	// ErrReleased: it left by itself.
	ErrReleased = errors.New("released")
	// ErrResigned is what ErrReleased is called of a candidate.
	ErrResigned = errors.New("resigned")
	// ErrDeleted: somebody deleted its key.
	ErrDeleted = errors.New("the key was deleted by somebody else")
	// ErrBroken: somebody took it away and gave a reason; see BrokenError.
	ErrBroken = errors.New("broken")
	// ErrHeld: those who stand in front exclude it.
	ErrHeld = errors.New("held by somebody else")
	// ErrMismatch: what the line is used for by others does not fit.
	ErrMismatch = errors.New("the parties do not agree")
)

// A BrokenError is the cause of a loss by Break. It answers errors.Is for
// ErrBroken.
type BrokenError struct{ Breaking }

// Error gives the reason and who gave it.
func (e *BrokenError) Error() string {
	by := ""
	if e.Host != "" {
		by = " by " + clip(e.Host)
	}
	if e.PID != 0 {
		by += fmt.Sprintf(" (process %d)", e.PID)
	}
	return fmt.Sprintf("broken%s: %s", by, clipReason(e.Reason))
}

// Is makes errors.Is find ErrBroken.
func (e *BrokenError) Is(target error) bool { return target == ErrBroken }

func clipReason(s string) string {
	const most = 512
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// A BlockedError is why somebody did not get in. It wraps ErrHeld of a try, and
// the end of the context of a wait.
type BlockedError struct {
	By  []Member // who stood in front, as far as known; the oldest first
	Err error
}

// Error tells who holds it, and the cause.
func (e *BlockedError) Error() string {
	if len(e.By) == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%v (%s)", e.Err, e.By[0].Who())
}

// Unwrap gives the cause.
func (e *BlockedError) Unwrap() error { return e.Err }

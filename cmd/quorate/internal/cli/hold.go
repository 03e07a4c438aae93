package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// session makes the session that the lock hangs on.
func (a *app) session(ctx context.Context, client *etcd.Client, f lockFlags) (*etcd.Session, error) {
	// A member that hangs costs --command-timeout, and so long it is tried
	// again elsewhere.
	bound := 2 * a.flags.commandTimeout
	if f.timeout > 0 {
		bound = min(bound, f.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	return etcd.NewSession(ctx, client, etcd.WithTTL(f.ttl), etcd.WithSafetyMargin(f.grace+f.slack()))
}

// errWaited is the cause of a context that --timeout ended.
var errWaited = errors.New("--timeout is over")

// tellAfter is how long a wait is not worth a word.
const tellAfter = 500 * time.Millisecond

// acquire obtains the lock as the flags say.
func (a *app) acquire(ctx context.Context, s *etcd.Session, f lockFlags, name string) (*lock.Handle, error) {
	m := lock.New(s, name)
	if f.try {
		ctx, cancel := context.WithTimeout(ctx, a.flags.commandTimeout)
		defer cancel()
		h, err := m.TryAcquire(ctx)
		if errors.Is(err, lock.ErrHeld) {
			return nil, fail(exitNotObtained, "lock %q is not obtained: it is held%s", name, holder(err))
		}
		return h, err
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, errWaited)
		defer cancel()
	}
	tell := time.AfterFunc(tellAfter, func() {
		a.event(lockEvent{Event: "waiting", Lock: name})
		if !a.flags.json && term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprintf(a.errOut, "quorate: waiting for lock %q\n", name)
		}
	})
	defer tell.Stop()
	h, err := m.Acquire(ctx)
	if err != nil && context.Cause(ctx) == errWaited {
		return nil, fail(exitNotObtained, "lock %q is not obtained within %v%s", name, f.timeout, holder(err))
	}
	return h, err
}

// holder tells who stood in the way, as far as err knows.
func holder(err error) string {
	var e *lock.Error
	if !errors.As(err, &e) || len(e.By) == 0 {
		return ""
	}
	return " by " + e.By[0].String()
}

// release gives the lock back. It returns an error only where the lock turns
// out to have been lost before.
func (a *app) release(ctx context.Context, h *lock.Handle, f lockFlags) error {
	ctx, cancel := context.WithTimeout(ctx, a.patience())
	defer cancel()
	err := h.Release(ctx)
	if err == nil || errors.Is(err, lock.ErrLost) {
		return err
	}
	fmt.Fprintf(a.errOut, "quorate: the lock could not be released, others get it within %v: %s\n", f.ttl, plain(err))
	return nil
}

// A lockEvent is what "quorate lock --json" writes to standard error, a line
// each: the command has standard output.
type lockEvent struct {
	Event string `json:"event"` // waiting, acquired, released or lost
	Lock  string `json:"lock"`
	Token int64  `json:"token,omitempty"`
	Exit  *int   `json:"exit,omitempty"`
}

func (a *app) event(e lockEvent) {
	if a.flags.json {
		_ = writeJSON(a.errOut, e)
	}
}

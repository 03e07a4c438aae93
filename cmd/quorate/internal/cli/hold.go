package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// parts says what the flags ask for of each lock.
func (f lockFlags) parts(s *etcd.Session, locks []string, command string) []lock.Part {
	meta := map[string]string{"command": filepath.Base(command)}
	maps.Copy(meta, f.meta)
	opts := []lock.Option{lock.WithMetadata(meta)}
	if f.quarantine > 0 {
		opts = append(opts, lock.WithQuarantine(f.quarantine))
	}
	var parts []lock.Part
	for _, name := range locks {
		switch {
		case f.slots > 0:
			parts = append(parts, lock.NewSemaphore(s, name, f.slots, opts...).Weight(f.weight))
		case f.shared:
			parts = append(parts, lock.NewRW(s, name, opts...).Reader())
		default:
			parts = append(parts, lock.New(s, name, opts...))
		}
	}
	return parts
}

// acquire obtains the locks as the flags say.
func (a *app) acquire(ctx context.Context, s *etcd.Session, f lockFlags, locks []string, command string) (*lock.Handle, error) {
	parts := f.parts(s, locks, command)
	if f.try {
		ctx, cancel := context.WithTimeout(ctx, a.flags.commandTimeout)
		defer cancel()
		h, err := lock.TryAcquireAll(ctx, parts...)
		if errors.Is(err, lock.ErrHeld) {
			return nil, fail(exitNotObtained, "%s is not obtained: it is %s", locksNamed(locks), inTheWay(err))
		}
		return h, notEntered(locks, err)
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, errWaited)
		defer cancel()
	}
	tell := time.AfterFunc(tellAfter, func() {
		a.event(newLockEvent("waiting", locks, 0))
		if !a.flags.json && term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprintf(a.errOut, "quorate: waiting for %s\n", locksNamed(locks))
		}
	})
	defer tell.Stop()
	h, err := lock.AcquireAll(ctx, parts...)
	if err != nil && context.Cause(ctx) == errWaited {
		way := inTheWay(err)
		if way != "" {
			way = ": it is " + way
		}
		return nil, fail(exitNotObtained, "%s is not obtained within %v%s", locksNamed(locks), f.timeout, way)
	}
	return h, notEntered(locks, err)
}

// notEntered tells of a lock that is used in another way by others.
func notEntered(locks []string, err error) error {
	var e *lock.Error
	if errors.Is(err, lock.ErrMismatch) && errors.As(err, &e) {
		return fail(exitFailed, "%s is used differently by others: %s", locksNamed(locks), plain(e.Err))
	}
	return err
}

// locksNamed names locks in messages.
func locksNamed(locks []string) string {
	quoted := make([]string, len(locks))
	for i, name := range locks {
		quoted[i] = strconv.Quote(name)
	}
	if len(quoted) == 1 {
		return "lock " + quoted[0]
	}
	return "locks " + strings.Join(quoted, ", ")
}

// inTheWay tells who stood in the way, as far as err knows.
func inTheWay(err error) string {
	var e *lock.Error
	switch {
	case errors.Is(err, lock.ErrQuarantine):
		return "in quarantine after a loss"
	case errors.As(err, &e) && len(e.By) > 0:
		return "held by " + e.By[0].String()
	case errors.Is(err, lock.ErrHeld):
		return "held"
	}
	return ""
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
	Event string   `json:"event"` // waiting, acquired, released or lost
	Lock  string   `json:"lock,omitempty"`
	Locks []string `json:"locks,omitempty"` // instead, where there are several
	Token int64    `json:"token,omitempty"`
	Exit  *int     `json:"exit,omitempty"`
}

func newLockEvent(event string, locks []string, token int64) lockEvent {
	e := lockEvent{Event: event, Token: token}
	if len(locks) == 1 {
		e.Lock = locks[0]
	} else {
		e.Locks = locks
	}
	return e
}

func (a *app) event(e lockEvent) {
	if a.flags.json {
		_ = writeJSON(a.errOut, e)
	}
}

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
	ctx, cancel := context.WithTimeout(ctx, 2*a.flags.commandTimeout)
	defer cancel()
	return etcd.NewSession(ctx, client, etcd.WithTTL(f.ttl), etcd.WithSafetyMargin(f.grace+f.slack()))
}

// lostPatience bounds the end of a session that was lost. Its lease is gone or
// soon runs out, whether it is revoked or not, and mostly it was lost because
// nobody answers.
const lostPatience = 500 * time.Millisecond

// closeSession ends the session, by that time if it is not zero. What it cannot
// revoke until then runs out by itself.
func (a *app) closeSession(ctx context.Context, s *etcd.Session, by time.Time) {
	long := a.patience()
	if !by.IsZero() {
		long = min(long, time.Until(by))
	}
	if s.Err() != nil {
		long = min(long, lostPatience)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), long)
	defer cancel()
	_ = s.Close(ctx)
}

// errWaited is the cause of a context that --timeout ended.
var errWaited = errors.New("--timeout is over")

// patience bounds ctx by --timeout, if there is one.
func (f lockFlags) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, f.timeout, errWaited)
}

// timedOut reports whether all that err says is that --timeout ended ctx: it is
// worth more to hear that nobody is there, or that it is no etcd.
func timedOut(ctx context.Context, err error) bool {
	return err != nil && context.Cause(ctx) == errWaited &&
		!errors.Is(err, etcd.ErrUnavailable) && !errors.Is(err, etcd.ErrNotEtcd) && !errors.Is(err, etcd.ErrBadReply)
}

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
			return nil, fail(exitNotObtained, "%s not obtained: %s %s", locksAre(locks, "is", "are"), oneIs(locks), inTheWay(err))
		}
		return h, a.notEntered(ctx, s.Client(), f, locks, err)
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
			way = ": " + oneIs(locks) + " " + way
		}
		return nil, fail(exitNotObtained, "%s not obtained within %v%s", locksAre(locks, "is", "are"), f.timeout, way)
	}
	return h, a.notEntered(ctx, s.Client(), f, locks, err)
}

// notEntered tells of a lock that is used in another way by others.
func (a *app) notEntered(ctx context.Context, client *etcd.Client, f lockFlags, locks []string, err error) error {
	var e *lock.Error
	if !errors.Is(err, lock.ErrMismatch) || !errors.As(err, &e) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.patience())
	defer cancel()
	here := usedWith(f.slots, f.quarantine)
	for _, name := range locks {
		s, lookErr := lock.Look(ctx, client, name)
		if lookErr != nil {
			break // the first error says enough
		}
		if others := usedWith(s.Limit, s.Quarantine); others != here {
			return fail(exitFailed, "lock %q is used %s by others, and here %s: all must say the same", name, others, here)
		}
	}
	return fail(exitFailed, "%s used differently by others: %s", locksAre(locks, "is", "are"), plain(e.Err))
}

// usedWith tells on what the parties of a lock have to agree, as flags say it.
func usedWith(slots int64, quarantine time.Duration) string {
	switch {
	case slots > 0:
		return fmt.Sprintf("with --slots %d", slots)
	case quarantine > 0:
		return fmt.Sprintf("with --quarantine %v", quarantine)
	}
	return "with neither --slots nor --quarantine"
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

// locksAre names locks, with the verb for one or for several.
func locksAre(locks []string, one, several string) string {
	if len(locks) == 1 {
		return locksNamed(locks) + " " + one
	}
	return locksNamed(locks) + " " + several
}

// oneIs begins what is said of the lock that is in the way.
func oneIs(locks []string) string {
	if len(locks) == 1 {
		return "it is"
	}
	return "one is"
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

// release gives the lock back, by that time. It returns an error only where the
// lock turns out to have been lost before.
func (a *app) release(ctx context.Context, h *lock.Handle, f lockFlags, by time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	err := h.Release(ctx)
	if err == nil || errors.Is(err, lock.ErrLost) {
		return err
	}
	fmt.Fprintf(a.errOut, "quorate: the lock could not be released, others get it within %v: %s\n", f.ttl, plain(err))
	return nil
}

// lostBy leaves of an error about a lost lock what ended that.
func lostBy(err error) error {
	var e *lock.Error
	if errors.As(err, &e) && e.Lost {
		return e.Err
	}
	return err
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

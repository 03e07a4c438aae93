package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/internal/names"
)

// lockFlags are the flags of "quorate lock".
type lockFlags struct {
	names      []string // of --name
	shared     bool
	slots      int64
	weight     int64
	quarantine time.Duration
	meta       pairs
	timeout    time.Duration
	try        bool
	ttl        time.Duration
	grace      time.Duration
}

// What a command that runs under a lock finds in its environment.
const (
	tokenVar = "QUORATE_TOKEN"
	lockVar  = "QUORATE_LOCK"
)

const defaultLockTTL = 15 * time.Second

func (a *app) lockCommand() *cobra.Command {
	var f lockFlags
	c := &cobra.Command{
		Use:   "lock NAME... [flags] -- COMMAND [ARG...]",
		Short: "Run a command while holding a lock, or look at locks",
		Long: `lock waits for the lock NAME, runs the command while it holds it, and releases
it when the command has ended. Who asks first gets it first. Of several names it
takes all at once or none; their order does not matter.

With --shared all who say so hold the lock together, and those who do not hold it
alone. With --slots N the lock is a semaphore, which N hold at the same time; all
must say the same N.

The command finds the lock's name in QUORATE_LOCK (of several each on a line) and
its fencing token, a number that grows with each holder, in QUORATE_TOKEN. Its
standard input, output and error are those of quorate, and so are the signals it
gets.

If the lock is lost (etcd cannot be reached for the time of --ttl, the lease is
revoked, ...) the command's process group gets SIGTERM, and SIGKILL after --grace
or before the lease can have run out, whichever is sooner. The same end awaits
it when quorate itself is killed.

The exit code is the command's; 128 + n where signal n ended it; 75 if the lock
was not obtained; 76 if it was lost.`,
		Example: `  quorate lock nightly -- ./backup.sh
  quorate lock nightly --try -- ./backup.sh || echo "somebody is at it"
  quorate lock deploy --timeout 10m -- ./deploy.sh production
  quorate lock catalog --shared -- ./report.sh     # with others that share
  quorate lock licences --slots 5 -- ./simulate.sh # five at a time
  quorate lock accounts invoices -- ./close.sh     # both, or it waits for both
  quorate lock ls`,
		Args: func(c *cobra.Command, args []string) error {
			locks, command := splitDashes(c, args)
			locks = append(f.names, locks...)
			switch {
			case len(locks) == 0:
				return usage("the name of the lock is missing: %s", c.UseLine())
			case command == nil && len(args) > 1:
				return usage("%q is unexpected: the command to run stands behind \"--\"; see '%s --help'", args[len(args)-1], c.CommandPath())
			case command == nil:
				return usage("the command to run is missing: quorate lock %s -- COMMAND", locks[0])
			case len(command) == 0:
				return usage("there is no command behind \"--\"; see '%s --help'", c.CommandPath())
			}
			for i, name := range locks {
				if _, err := names.Escape(name); err != nil {
					return usage("the name of a lock: %w", err)
				}
				if slices.Contains(locks[:i], name) {
					return usage("lock %q is named twice", name)
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			locks, command := splitDashes(c, args)
			return a.lock(c, f, append(f.names, locks...), command)
		},
	}
	c.Flags().StringArrayVar(&f.names, "name", nil, "a further lock, `NAME`; the way to take one whose name is that of a command below: ls, show, break")
	c.Flags().BoolVar(&f.shared, "shared", false, "hold the lock together with all who share it")
	c.Flags().Int64Var(&f.slots, "slots", 0, "how many can hold the lock at the same time; all who use it must say the same")
	c.Flags().Int64Var(&f.weight, "weight", 1, "how many of the --slots to take")
	c.Flags().DurationVar(&f.quarantine, "quarantine", 0, "after a loss let nobody have the lock for this time; all who use it must say the same")
	c.Flags().Var(&f.meta, "meta", "what 'quorate lock show' is to tell of this holder; no secrets; may be repeated")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "give up when the lock is not obtained within this time (default: wait as long as it takes)")
	c.Flags().BoolVar(&f.try, "try", false, "give up at once when somebody else holds the lock or waits for it")
	c.Flags().DurationVar(&f.ttl, "ttl", defaultLockTTL, "how long the lock stays when quorate is gone, and how long quorate can be without etcd; whole seconds, 2s at least")
	c.Flags().DurationVar(&f.grace, "grace", 0, "time between SIGTERM and SIGKILL when the lock is lost (default: a fifth of --ttl)")
	c.AddCommand(a.lockLsCommand(), a.lockShowCommand(), a.lockBreakCommand())
	return c
}

// splitDashes gives what stands before "--" and behind it; the latter is nil
// where there are no dashes.
func splitDashes(c *cobra.Command, args []string) (before, behind []string) {
	n := c.ArgsLenAtDash()
	if n < 0 {
		return args, nil
	}
	return args[:n:n], append([]string{}, args[n:]...)
}

func (f *lockFlags) check(c *cobra.Command) error {
	switch {
	case f.shared && c.Flags().Changed("slots"):
		return usage("--shared and --slots exclude each other")
	case c.Flags().Changed("slots") && f.slots <= 0:
		return usage("--slots must be positive, not %d", f.slots)
	case c.Flags().Changed("weight") && f.slots == 0:
		return usage("--weight needs --slots")
	case f.slots > 0 && (f.weight <= 0 || f.weight > f.slots):
		return usage("--weight must be between 1 and --slots, not %d", f.weight)
	case c.Flags().Changed("quarantine") && (f.shared || f.slots > 0):
		return usage("--quarantine does not go with --shared or --slots")
	case c.Flags().Changed("quarantine") && f.quarantine <= 0:
		return usage("--quarantine must be positive, not %v", f.quarantine)
	case f.try && c.Flags().Changed("timeout"):
		return usage("--try and --timeout exclude each other")
	case c.Flags().Changed("timeout") && f.timeout <= 0:
		return usage("--timeout must be positive, not %v; --try does not wait at all", f.timeout)
	}
	return f.checkLease(c)
}

// checkLease checks the flags about the lease and fills in --grace.
func (f *lockFlags) checkLease(c *cobra.Command) error {
	switch {
	case f.ttl < 2*time.Second:
		return usage("--ttl must be at least 2s, not %v", f.ttl)
	case f.ttl > 24*time.Hour:
		return usage("--ttl %v is more than a day", f.ttl)
	case f.grace < 0 || c.Flags().Changed("grace") && f.grace == 0:
		return usage("--grace must be positive, not %v", f.grace)
	case f.grace > f.ttl*2/5:
		return usage("--grace %v is too long for --ttl %v: two fifths of it at most", f.grace, f.ttl)
	}
	if f.grace == 0 {
		f.grace = f.ttl / 5
	}
	return nil
}

// slack is the time between the end of a group that is killed for a lost lock
// and the moment at which the lease can have run out at the server.
func (f *lockFlags) slack() time.Duration { return f.ttl / 20 }

// lock runs the command under the lock.
//
// How the time of a lease is spent: the session counts it from before the last
// successful renewal was sent, and ends at ttl - grace - slack. That is when
// the loss is known and the group gets SIGTERM. SIGKILL follows at ttl - slack:
// from here, or, if this process cannot, from the guard, which is told that
// moment whenever it moves. The server gives the lock away at ttl at the
// earliest, counted from when it received the renewal.
func (a *app) lock(c *cobra.Command, f lockFlags, locks, command []string) (err error) {
	run, err := find(command)
	if err != nil {
		return err
	}
	client, err := a.connect(c, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	guard, err := child.NewGuard() // it gets ready while we wait
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	defer guard.Close()

	ctx := context.WithoutCancel(c.Context())
	waiting, stopListening := a.signals.Context(c.Context())
	defer stopListening()
	waiting, cancel := f.patience(waiting)
	defer cancel()
	s, err := a.session(waiting, client, f)
	if err != nil {
		if timedOut(waiting, err) {
			return fail(exitNotObtained, "%s not obtained within %v: etcd at %s has not answered", locksAre(locks, "is", "are"), f.timeout, a.where(err))
		}
		return err
	}
	var by time.Time // when all that follows the command is to be over
	defer func() { a.closeSession(ctx, s, by) }()
	h, err := a.acquire(waiting, s, f, locks, command[0])
	if err != nil {
		return err
	}
	stopListening()

	token := strconv.FormatInt(h.Token(), 10)
	run.Env = append(run.Env, lockVar+"="+strings.Join(locks, "\n"), tokenVar+"="+token)
	a.event(newLockEvent("acquired", locks, h.Token()))
	exit, err := guard.Run(h.Context(), run, child.Options{
		Signals:  a.signals,
		Grace:    f.grace,
		Deadline: func() time.Time { return s.Deadline().Add(f.grace) },
		Tick:     f.slack(),
		Lost:     h.Err,
	})
	by = time.Now().Add(a.patience())
	lost := h.Err()
	if lost == nil {
		lost = a.release(ctx, h, f, by)
	}
	switch {
	case lost != nil:
		a.event(newLockEvent("lost", locks, h.Token()))
		return fail(exitLost, "%s lost while %s ran: %s", locksAre(locks, "was", "were"), command[0], plain(lostBy(lost)))
	case err != nil:
		return notStarted(err)
	}
	released := newLockEvent("released", locks, h.Token())
	released.Exit = &exit.Code
	a.event(released)
	return quit(exit.Code)
}

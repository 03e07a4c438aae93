package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/internal/names"
)

// lockFlags are the flags of "quorate lock".
type lockFlags struct {
	timeout time.Duration
	try     bool
	ttl     time.Duration
	grace   time.Duration
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
		Use:   "lock NAME [flags] -- COMMAND [ARG...]",
		Short: "Run a command while holding a lock",
		Long: `lock waits for the lock NAME, runs the command while it holds it, and releases
it when the command has ended. Who asks first gets it first.

The command finds the lock's name in QUORATE_LOCK and its fencing token, a
number that grows with each holder, in QUORATE_TOKEN. Its standard input, output
and error are those of quorate, and so are the signals it gets.

If the lock is lost (etcd cannot be reached for the time of --ttl, the lease is
revoked, ...) the command's process group gets SIGTERM, and SIGKILL after --grace
or before the lease can have run out, whichever is sooner. The same end awaits
it when quorate itself is killed.

The exit code is the command's; 128 + n where signal n ended it; 75 if the lock
was not obtained; 76 if it was lost.`,
		Example: `  quorate lock nightly -- ./backup.sh
  quorate lock nightly --try -- ./backup.sh || echo "somebody is at it"
  quorate lock deploy --timeout 10m -- ./deploy.sh production`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || c.ArgsLenAtDash() == 0:
				return usage("the name of the lock is missing: %s", c.UseLine())
			case c.ArgsLenAtDash() < 0 && len(args) == 1:
				return usage("the command to run is missing: quorate lock %s -- COMMAND", args[0])
			}
			if _, err := names.Escape(args[0]); err != nil {
				return usage("the name of a lock: %w", err)
			}
			return onlyBehindDashes(c, args, 1)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			return a.lock(c, f, args[0], args[1:])
		},
	}
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "give up when the lock is not obtained within this time (default: wait as long as it takes)")
	c.Flags().BoolVar(&f.try, "try", false, "give up at once when somebody else holds the lock")
	c.Flags().DurationVar(&f.ttl, "ttl", defaultLockTTL, "how long the lock stays when quorate is gone, and how long quorate can be without etcd; whole seconds, 2s at least")
	c.Flags().DurationVar(&f.grace, "grace", 0, "time between SIGTERM and SIGKILL when the lock is lost (default: a fifth of --ttl)")
	return c
}

func (f *lockFlags) check(c *cobra.Command) error {
	switch {
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
func (a *app) lock(c *cobra.Command, f lockFlags, name string, command []string) (err error) {
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
	s, err := a.session(waiting, client, f)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(ctx, a.patience())
		defer cancel()
		_ = s.Close(ctx) // what it cannot revoke now runs out by itself
	}()
	h, err := a.acquire(waiting, s, f, name)
	if err != nil {
		return err
	}
	stopListening()

	token := strconv.FormatInt(h.Token(), 10)
	run.Env = append(run.Env, lockVar+"="+name, tokenVar+"="+token)
	a.event(lockEvent{Event: "acquired", Lock: name, Token: h.Token()})
	exit, err := guard.Run(h.Context(), run, child.Options{
		Signals:  a.signals,
		Grace:    f.grace,
		Deadline: func() time.Time { return s.Deadline().Add(f.grace) },
		Tick:     f.slack(),
		Lost:     h.Err,
	})
	lost := h.Err()
	if lost == nil {
		lost = a.release(ctx, h, f)
	}
	switch {
	case lost != nil:
		a.event(lockEvent{Event: "lost", Lock: name, Token: h.Token()})
		return fail(exitLost, "lock %q was lost while %s ran: %s", name, command[0], plain(lost))
	case err != nil:
		return notStarted(err)
	}
	a.event(lockEvent{Event: "released", Lock: name, Token: h.Token(), Exit: &exit.Code})
	return quit(exit.Code)
}

package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/names"
)

// electFlags are the flags of "quorate elect". Those about time are as of "quorate
// lock".
type electFlags struct {
	lockFlags
	name  string // instead of the first argument
	value string
	once  bool
	fit   checkFlags
}

// electionVar names the election in the environment of a command that leads.
const electionVar = "QUORATE_ELECTION"

func (a *app) electCommand() *cobra.Command {
	var f electFlags
	c := &cobra.Command{
		Use:   "elect NAME [flags] -- COMMAND [ARG...]",
		Short: "Run a command while leading, or look at elections",
		Long: `elect stands for the election NAME and runs the command while it leads. Who
stands first leads first.

The command finds the election's name in QUORATE_ELECTION and its term's fencing
token, a number that grows with each term, in QUORATE_TOKEN. Its standard input,
output and error are those of quorate, and so are the signals it gets.

If the leadership is lost (etcd cannot be reached for the time of --ttl, the lease
is revoked, ...) or to be handed over ('quorate elect transfer'), the command's
process group gets SIGTERM, and SIGKILL after --grace or before the lease can have
run out, whichever is sooner. Then quorate stands again, and runs the command
again when it leads; with --once it ends.

With --check it stands and leads only while that command line, run every
--check-every, exits with 0: where it does not, a candidate leaves the line and
enters it again, at its end, when it does, and the leadership is lost. The check
finds the election's name in QUORATE_ELECTION. What it writes is shown if it fails.

When the command ends by itself quorate resigns and ends, too. The exit code is the
command's; 128 + n where signal n ended it; 75 if it was not elected; with --once 76
if the leadership was lost or handed over.`,
		Example: `  quorate elect scheduler -- ./scheduler.sh
  quorate elect scheduler --value "$(hostname):8080" -- ./serve.sh
  quorate elect scheduler --check "test -w /var/spool/jobs" -- ./scheduler.sh
  quorate elect show scheduler
  quorate elect watch scheduler
  quorate elect transfer scheduler`,
		Args: func(c *cobra.Command, args []string) error {
			elections, command := f.split(c, args)
			switch {
			case len(elections) == 0:
				return usage("the name of the election is missing: %s", c.UseLine())
			case len(elections) > 1:
				return usage("%q is unexpected: elect takes one election, and the command to run stands behind \"--\"; see '%s --help'", elections[1], c.CommandPath())
			case command == nil:
				return usage("the command to run is missing: quorate elect %s -- COMMAND", elections[0])
			case len(command) == 0:
				return usage("there is no command behind \"--\"; see '%s --help'", c.CommandPath())
			}
			return electionName(elections[0])
		},
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("timeout") && f.timeout <= 0 {
				return usage("--timeout must be positive, not %v", f.timeout)
			}
			if err := f.checkLease(c); err != nil {
				return err
			}
			if err := f.fit.check(c); err != nil {
				return err
			}
			if !c.Flags().Changed("value") {
				f.value, _ = os.Hostname() // nothing where it has no name
			}
			elections, command := f.split(c, args)
			return a.elect(c, f, elections[0], command)
		},
	}
	c.Flags().StringVar(&f.name, "name", "", "the election, `NAME`; the way to take one whose name is that of a command below: ls, show, watch, transfer")
	c.Flags().StringVar(&f.value, "value", "", "what observers are told of this leader (default: the name of the host)")
	c.Flags().BoolVar(&f.once, "once", false, "end when the leadership is lost, and do not stand again")
	c.Flags().Var(&f.meta, "meta", "what 'quorate elect show' is to tell of this candidate; no secrets; may be repeated")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "give up when not elected for the first time within this time (default: wait as long as it takes)")
	c.Flags().DurationVar(&f.ttl, "ttl", defaultLockTTL, "how long the leadership stays when quorate is gone, and how long quorate can be without etcd; whole seconds, 2s at least")
	c.Flags().DurationVar(&f.grace, "grace", 0, "time between SIGTERM and SIGKILL when the leadership is lost or handed over (default: a fifth of --ttl)")
	f.fit.add(c)
	c.AddCommand(a.electLsCommand(), a.electShowCommand(), a.electWatchCommand(), a.electTransferCommand())
	return c
}

// split gives the elections and the command.
func (f *electFlags) split(c *cobra.Command, args []string) (elections, command []string) {
	elections, command = splitDashes(c, args)
	if f.name != "" {
		elections = append([]string{f.name}, elections...)
	}
	return elections, command
}

func electionName(name string) error {
	if _, err := names.Escape(name); err != nil {
		return usage("the name of an election: %w", err)
	}
	return nil
}

// oneElection is for the commands that take the name of an election.
func oneElection(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes the name of one election, but got %d arguments", c.CommandPath(), len(args))
	}
	return electionName(args[0])
}

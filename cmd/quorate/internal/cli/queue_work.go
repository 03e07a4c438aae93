package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/queue"
)

// workFlags are the flags of "quorate queue work".
type workFlags struct {
	concurrency int
	attempts    int
	drain       bool
	timeout     time.Duration
	backoff     time.Duration
	maxBackoff  time.Duration
	stop        time.Duration
	ttl         time.Duration
	grace       time.Duration
	deadOn      []int
	quiet       bool
}

const defaultWorkTTL = 10 * time.Second

func (a *app) queueWorkCommand() *cobra.Command {
	var f workFlags
	c := &cobra.Command{
		Use:   "work NAME [flags] -- COMMAND [ARG...]",
		Short: "Run a command for each job of a queue",
		Long: `work runs the command once for each job of the queue NAME, with the job's payload
on its standard input. When it exits with 0 the job is done. Otherwise the job is
tried again later, first after about --backoff and each time after twice as
long, and when --attempts are used up it becomes a dead letter, with the end of
what the command wrote to standard error as its reason.

The command finds in its environment QUORATE_QUEUE, the job's id in QUORATE_JOB,
the number of the attempt, from 1, in QUORATE_ATTEMPT, a number greater than that
of every earlier delivery of the job in QUORATE_TOKEN, and what --header gave the
job as a JSON object in QUORATE_HEADERS.

SIGINT or SIGTERM stops the work softly: jobs not begun are handed back at once,
and commands that run may finish, for --stop-timeout. The second one, or the end
of that time, ends the commands, with SIGTERM first and SIGKILL after --grace.
Jobs whose command was ended by that cost no attempt.

A command whose claim is lost, because etcd could not be reached for --ttl for
instance, is ended in the same way before others can get its job. quorate then
goes on as soon as etcd is there again. When quorate itself dies, its commands
are killed, and others get their jobs after --ttl at the latest.`,
		Example: `  quorate queue work files --concurrency 8 -- ./convert.sh
  quorate queue work mails --attempts 3 --timeout 1m -- python3 send.py
  quorate queue work files --drain -- ./convert.sh    # ends when all is done`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || c.ArgsLenAtDash() == 0:
				return usage("the name of the queue is missing: %s", c.UseLine())
			case c.ArgsLenAtDash() < 0 && len(args) == 1:
				return usage("the command to run is missing: quorate queue work %s -- COMMAND", args[0])
			}
			if err := checkQueueName(args[0]); err != nil {
				return err
			}
			return onlyBehindDashes(c, args, 1)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			return a.queueWork(c, f, args[0], args[1:])
		},
	}
	c.Flags().IntVar(&f.concurrency, "concurrency", 1, "how many commands run at once")
	c.Flags().IntVar(&f.attempts, "attempts", queue.DefaultMaxAttempts, "how often a job is tried before it becomes a dead letter")
	c.Flags().BoolVar(&f.drain, "drain", false, "end when the queue is empty: nothing ready, claimed by anybody or delayed")
	c.Flags().DurationVar(&f.timeout, "timeout", 0, "end a command that takes longer; the attempt has failed (default: half an hour)")
	c.Flags().DurationVar(&f.backoff, "backoff", queue.DefaultRetryMin, "time to the second attempt")
	c.Flags().DurationVar(&f.maxBackoff, "max-backoff", queue.DefaultRetryMax, "longest time between attempts")
	c.Flags().DurationVar(&f.stop, "stop-timeout", queue.DefaultStopTimeout, "how long commands may go on after a signal")
	c.Flags().DurationVar(&f.ttl, "ttl", defaultWorkTTL, "after which time others get the jobs when quorate is gone; whole seconds, 2s at least")
	c.Flags().DurationVar(&f.grace, "grace", 0, "time between SIGTERM and SIGKILL (default: a fifth of --ttl)")
	c.Flags().IntSliceVar(&f.deadOn, "dead-on", nil, "exit `codes` that make the job a dead letter at once")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "do not tell of jobs that failed")
	return c
}

// defaultWorkTimeout keeps a command that hangs from holding its job for ever.
const defaultWorkTimeout = 30 * time.Minute

func (f *workFlags) check(c *cobra.Command) error {
	given := c.Flags().Changed
	switch {
	case f.concurrency < 1 || f.concurrency > 1000:
		return usage("--concurrency must be between 1 and 1000, not %d", f.concurrency)
	case f.attempts < 1:
		return usage("--attempts must be at least 1, not %d", f.attempts)
	case given("timeout") && f.timeout <= 0:
		return usage("--timeout must be positive, not %v", f.timeout)
	case f.backoff <= 0:
		return usage("--backoff must be positive, not %v", f.backoff)
	case given("max-backoff") && f.maxBackoff < f.backoff:
		return usage("--max-backoff %v is less than --backoff %v", f.maxBackoff, f.backoff)
	case f.stop <= 0:
		return usage("--stop-timeout must be positive, not %v", f.stop)
	}
	for _, code := range f.deadOn {
		if code < 1 || code > 255 {
			return usage("--dead-on %d is not between 1 and 255", code)
		}
	}
	if f.timeout == 0 {
		f.timeout = defaultWorkTimeout
	}
	f.maxBackoff = max(f.maxBackoff, f.backoff)
	lease := lockFlags{ttl: f.ttl, grace: f.grace}
	if err := lease.checkLease(c); err != nil {
		return err
	}
	f.grace = lease.grace
	return nil
}

// lease gives the flags about the lease as "quorate lock" has them.
func (f *workFlags) lease() lockFlags { return lockFlags{ttl: f.ttl, grace: f.grace} }

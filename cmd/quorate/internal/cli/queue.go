package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
	"github.com/quorate/quorate/queue"
)

// jobs is a queue as the command sees it: payloads are bytes.
type jobs = queue.Queue[[]byte]

func (a *app) queueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "queue",
		Short: "Put jobs into queues, work on them and look after them",
		Long: `queue puts jobs into queues and has commands work on them. A job is done when its
command has exited with 0; until then it is in etcd, and what a worker leaves
behind when it dies is taken over by others.

A queue is the one that queue.New(client, NAME) of the library makes. Payloads
are bytes here; the library's default are JSON values.`,
		Example: `  quorate queue push mails '{"to":"ann"}'
  quorate queue push files --lines < list
  quorate queue work files --concurrency 8 -- ./convert.sh
  quorate queue stats`,
		Args: knownCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.queuePushCommand(), a.queueWorkCommand(), a.queuePopCommand(), a.queueStatsCommand(),
		a.queueLsCommand(), a.queueShowCommand(), a.queueRedriveCommand(), a.queuePurgeCommand(),
		a.queuePauseCommand(), a.queueResumeCommand(), a.queueCancelCommand())
	return c
}

// queueArgs checks that the name of a queue comes first, and that at least min
// and at most max (if it is not negative) arguments follow.
func queueArgs(min, max int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("the name of the queue is missing: %s", c.UseLine())
		}
		if err := checkQueueName(args[0]); err != nil {
			return err
		}
		switch n := len(args) - 1; {
		case n < min:
			return usage("%s is missing: %s", what, c.UseLine())
		case max >= 0 && n > max:
			return usage("%q is unexpected; see '%s --help'", args[1+max], c.CommandPath())
		}
		return nil
	}
}

func checkQueueName(name string) error {
	if _, err := names.Escape(name); err != nil {
		return usage("the name of a queue: %w", err)
	}
	return nil
}

// unbounded runs f with a client, until a signal asks to end.
func (a *app) unbounded(c *cobra.Command, f func(ctx context.Context, client *etcd.Client) error) error {
	client, err := a.connect(c, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := a.signals.Context(c.Context())
	defer stop()
	err = f(ctx, client)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// withQueue runs f with a queue that is there.
func (a *app) withQueue(c *cobra.Command, name string, f func(ctx context.Context, q *jobs) error) error {
	return a.unbounded(c, func(ctx context.Context, client *etcd.Client) error {
		// Asking for a queue that is not there would make it.
		there, err := queue.Names(ctx, client)
		if err != nil {
			return err
		}
		if !slices.Contains(there, name) {
			return fail(exitFailed, "there is no queue %q", name)
		}
		return f(ctx, queue.New[[]byte](client, name))
	})
}

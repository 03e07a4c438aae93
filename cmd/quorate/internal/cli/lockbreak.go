package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// breakFlags are the flags of "quorate lock break".
type breakFlags struct {
	token  int64
	reason string
}

func (a *app) lockBreakCommand() *cobra.Command {
	var f breakFlags
	c := &cobra.Command{
		Use:   "break NAME",
		Short: "Take a lock away from who holds it",
		Long: `break takes the lock NAME away from its holder; the next in line gets it at
once. The loser is told the reason, and a command that runs under the lock is
ended; but until the loser hears of it, only its fencing token keeps it from doing
harm: break what is stuck, not what is slow.

With --token, as 'quorate lock show' tells it, it is exactly that contender who
loses its place, whether it holds the lock or waits. Where several hold it, a
token is needed.`,
		Example: `  quorate lock break deploy --reason "build 17 hangs"
  quorate lock break licences --token 4711`,
		Args: oneLock,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("token") && f.token <= 0 {
				return usage("--token must be positive, not %d", f.token)
			}
			if f.reason == "" || len(f.reason) > 1024 {
				return usage("--reason is empty or longer than 1024 bytes")
			}
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error {
				return a.lockBreak(ctx, client, f, args[0])
			})
		},
	}
	c.Flags().Int64Var(&f.token, "token", 0, "the token of the contender to break (default: the one that holds the lock)")
	c.Flags().StringVar(&f.reason, "reason", "by 'quorate lock break'", "what the loser is told")
	return c
}

func (a *app) lockBreak(ctx context.Context, client *etcd.Client, f breakFlags, name string) error {
	if f.token == 0 {
		s, err := lock.Look(ctx, client, name)
		switch {
		case err != nil:
			return err
		case len(s.Holders) == 0:
			return fail(exitFailed, "nobody holds lock %q", name)
		case len(s.Holders) > 1:
			return usage("%d hold lock %q: say which with --token; see 'quorate lock show'", len(s.Holders), name)
		}
		f.token = s.Holders[0].Token
	}
	c, err := lock.Break(ctx, client, name, f.token, f.reason)
	if errors.Is(err, lock.ErrNotHeld) {
		return fail(exitFailed, "nobody in the line of lock %q has token %d; see 'quorate lock show'", name, f.token)
	}
	if err != nil {
		return err
	}
	r := newContenderReport(c, time.Now())
	if a.flags.json {
		return a.printJSON(struct {
			Lock   string          `json:"lock"`
			Broken contenderReport `json:"broken"`
			Reason string          `json:"reason"`
		}{name, r, f.reason})
	}
	return a.say("lock %s is broken: token %d of %s", word(name), r.Token, r.who())
}

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/embedded"
)

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo [--dir DIR]",
		Short: "Show on an etcd of its own what quorate is for",
		Long: `demo has several worker processes hash every file below a directory: a queue deals
the files out, a sequence numbers the results, an elected reporter writes down
how far it is, and a lock guards the report. In the middle one worker, the
reporter, is killed with -9.

In the end it computes everything once more by itself and compares: that nothing
is lost, that every file has one result although some were delivered twice, that
the numbers have no gap, and that reporters followed each other with growing
tokens. The exit code is 0 only if all of that holds.`,
		Args: knownCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case f.workers < 2 || f.workers > 32:
				return usage("--workers must be between 2 and 32, not %d", f.workers)
			case f.most < 1:
				return usage("--limit must be positive, not %d", f.most)
			}
			ctx, stop := a.signals.Context(c.Context())
			defer stop()
			return a.demoAll(ctx, f)
		},
	}
	c.Flags().StringVar(&f.dir, "dir", ".", "the `directory`; hidden ones in it are left out")
	c.Flags().IntVar(&f.workers, "workers", 4, "how many worker processes")
	c.Flags().IntVar(&f.most, "limit", 5000, "how many files at most")
	c.AddCommand(a.demoLockCommand(), a.demoWorkCommand(), a.demoIdleCommand(), a.demoWorkerCommand())
	return c
}

// The size of "quorate demo lock".
const (
	demoProcesses = 8
	demoTransfers = 20
	demoTTL       = "3s"
	demoLock      = "ledger"
)

func (a *app) demoLockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "Several processes on one file, one at a time, one of them killed",
		Long: `demo lock has several processes move money between the accounts of one file,
each by reading it, computing and writing it. First they do so as they like.
Then each runs under "quorate lock", and in the middle of a transfer one quorate
is killed with -9.

In the end it checks that they ran one at a time, that what quorate had started
died with it before the next began, that tokens grew and that no transfer was
lost. The exit code is 0 only if all of that holds.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := a.signals.Context(c.Context())
			defer stop()
			return a.demoLock(ctx)
		},
	}
}

// demoReport is what "quorate demo lock --json" prints.
type demoReport struct {
	Verified  bool    `json:"verified"`
	Processes int     `json:"processes"`
	Killed    int     `json:"killed"`
	Tokens    []int64 `json:"tokens"`
	Transfers int     `json:"transfers"`
	Lost      int     `json:"lost"`
	Unlocked  struct {
		Transfers int `json:"transfers"`
		Lost      int `json:"lost"`
	} `json:"without_lock"`
	Problems []string `json:"problems"`
}

// demoLock runs the whole demonstration.
func (a *app) demoLock(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "quorate-demo-")
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	defer os.RemoveAll(dir)
	cluster, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return devFlags{}.explain(err)
	}
	defer func() { _ = cluster.Stop(context.WithoutCancel(ctx)) }()
	exe, err := os.Executable()
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	run := &demoRun{exe: exe, env: devEnv(os.Environ(), cluster.Endpoints()), say: a.demoSay}
	report := demoReport{Processes: demoProcesses, Tokens: []int64{}, Problems: []string{}}

	a.demoSay("%d processes move money between the accounts of one file, %d transfers each.", demoProcesses, demoTransfers)
	free, err := run.without(ctx, dir+"/free")
	if err != nil {
		return demoFailed(ctx, err)
	}
	report.Unlocked.Transfers, report.Unlocked.Lost = free.Made, free.Made-free.Kept
	a.demoSay("\nAll at once, without a lock: %d of %d transfers are lost.", free.Made-free.Kept, free.Made)

	a.demoSay("\nEach under \"quorate lock %s\", and one quorate killed with -9 in the middle of a transfer:", demoLock)
	found, problem, err := run.under(ctx, dir+"/locked")
	if err != nil {
		return demoFailed(ctx, err)
	}
	for _, turn := range found.Turns {
		report.Tokens = append(report.Tokens, turn.Token)
	}
	report.Killed, report.Transfers, report.Lost = found.Killed, found.Made, found.Made-found.Kept
	if problem != nil {
		report.Problems = strings.Split(problem.Error(), "\n")
	}
	report.Verified = problem == nil
	if a.flags.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	}
	if problem != nil {
		return fail(exitFailed, "not verified: %s", oneLine(problem.Error()))
	}
	a.demoSay("\nVerified: %d processes ran one at a time, with growing tokens; the one that was killed took its process and that one's child with it before the next began; %d of %d transfers are in the file, none lost.",
		len(found.Turns), found.Kept, found.Made)
	return nil
}

// demoSay tells people what happens.
func (a *app) demoSay(format string, args ...any) {
	if !a.flags.json {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}

func demoFailed(ctx context.Context, err error) error {
	if child.InterruptedBy(context.Cause(ctx)) != nil {
		return context.Cause(ctx)
	}
	return fail(exitFailed, "%w", err)
}

// demoWorkCommand is what the processes of the demonstration run.
func (a *app) demoWorkCommand() *cobra.Command {
	var stuck bool
	c := &cobra.Command{
		Use:    "work DIR",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := demoWork(args[0], stuck); err != nil {
				return fail(exitFailed, "%w", err)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&stuck, "stuck", false, "stay in the middle of a transfer until killed")
	return c
}

// demoIdleCommand is what the process that is killed has started.
func (a *app) demoIdleCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "idle",
		Hidden: true,
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(a.out, idleReady)
			select {}
		},
	}
}

package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
	"github.com/quorate/quorate/lock"
)

func (a *app) lockLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the locks that somebody holds or waits for",
		Long: `ls lists the locks that somebody holds or waits for, and those on whose use the
parties have agreed (--slots, --quarantine), all as of one moment. The age is
how long the holder has been in the line, its wait included.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error { return a.lockLs(ctx, client) })
		},
	}
}

func (a *app) lockShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show who holds a lock and who waits for it",
		Long: `show tells who holds the lock NAME and who waits for it, in the order in which
they get it, and since when each has been in the line.`,
		Example: "  quorate lock show deploy\n  quorate lock show deploy --json",
		Args:    oneLock,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error { return a.lockShow(ctx, client, args[0]) })
		},
	}
}

// oneLock is for the commands that take the name of a lock.
func oneLock(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes the name of one lock, but got %d arguments", c.CommandPath(), len(args))
	}
	if _, err := names.Escape(args[0]); err != nil {
		return usage("the name of a lock: %w", err)
	}
	return nil
}

// withClient runs f with a client, for at most twice --command-timeout (a member
// that hangs costs that once, and so long it is tried again) or until a signal.
func (a *app) withClient(c *cobra.Command, f func(context.Context, *etcd.Client) error) error {
	client, err := a.connect(c, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := a.signals.Context(c.Context())
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*a.flags.commandTimeout)
	defer cancel()
	return f(ctx, client)
}

func (a *app) lockLs(ctx context.Context, client *etcd.Client) error {
	now := time.Now()
	reports := []lockReport{}
	var failed error
	for s, err := range lock.All(ctx, client) {
		if err != nil {
			failed = err // what came before is shown all the same
			break
		}
		reports = append(reports, newLockReport(s, now))
	}
	if a.flags.json {
		if failed == nil {
			failed = a.printJSON(map[string][]lockReport{"locks": reports})
		}
		return failed
	}
	if len(reports) == 0 {
		return failed
	}
	rows := [][]string{{"LOCK", "STATE", "HOLDER", "AGE", "WAITING"}}
	for _, r := range reports {
		age := "-"
		if len(r.Holders) > 0 {
			age = r.Holders[0].age()
		}
		rows = append(rows, []string{word(r.Lock), r.state(), r.by(), age, strconv.Itoa(len(r.Waiters))})
	}
	if err := a.table(rows); err != nil {
		return err
	}
	return failed
}

func (a *app) lockShow(ctx context.Context, client *etcd.Client, name string) error {
	s, err := lock.Look(ctx, client, name)
	if err != nil {
		return err
	}
	r := newLockReport(s, time.Now())
	if a.flags.json {
		return a.printJSON(r)
	}
	rows := [][]string{{"POSITION", "MODE", "TOKEN", "HOST", "PROCESS", "PROGRAM", "AGE", "META"}}
	row := func(position string, c contenderReport) {
		pid := "-"
		if c.PID != 0 {
			pid = strconv.Itoa(c.PID)
		}
		m := c.Mode
		if c.Weight > 0 {
			m = strconv.FormatInt(c.Weight, 10) + " " + m
		}
		meta := c.meta()
		if c.Host == "" && c.PID == 0 {
			meta = c.who()
		}
		rows = append(rows, []string{position, m, strconv.FormatInt(c.Token, 10), orDash(c.Host), pid, orDash(c.Program), c.age(), meta})
	}
	for _, c := range r.Holders {
		row("holds", c)
	}
	for _, c := range r.Waiters {
		row(strconv.Itoa(c.Position), c)
	}
	err = a.say("lock %s: %s, %d waiting", word(name), r.state(), len(r.Waiters))
	if err != nil || len(rows) == 1 {
		return err
	}
	return a.table(rows)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return word(s)
}

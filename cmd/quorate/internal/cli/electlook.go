package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

func (a *app) electLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the elections in which somebody stands",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error { return a.electLs(ctx, client) })
		},
	}
}

func (a *app) electShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show who leads and who wants to",
		Long: `show tells who leads in the election NAME and who wants to, in the order in which
they will lead, and since when each has stood. The exit code is 0 also if nobody
does.`,
		Example: "  quorate elect show scheduler\n  quorate elect show scheduler --json",
		Args:    oneElection,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error { return a.electShow(ctx, client, args[0]) })
		},
	}
}

func (a *app) electWatchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch NAME",
		Short: "Tell of every leader, as they come and go",
		Long: `watch tells who leads in the election NAME, and then of every change: each leader,
each value that a leader proclaims, and each vacancy, in order. It outlives lost
connections. Where history was compacted before it could be seen it says "gap" and
goes on with the present. A signal ends it.`,
		Example: "  quorate elect watch scheduler\n  quorate elect watch scheduler --json",
		Args:    oneElection,
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.connect(c, nil)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := a.signals.Context(c.Context())
			defer stop()
			return a.electWatch(ctx, client, args[0])
		},
	}
}

func (a *app) electLs(ctx context.Context, client *etcd.Client) error {
	now := time.Now()
	reports := []electionReport{}
	for s, err := range election.All(ctx, client) {
		if err != nil {
			return err
		}
		reports = append(reports, newElectionReport(s, now))
	}
	if a.flags.json {
		return a.printJSON(map[string][]electionReport{"elections": reports})
	}
	if len(reports) == 0 {
		return nil
	}
	rows := [][]string{{"ELECTION", "LEADER", "BY", "AGE", "CANDIDATES"}}
	for _, r := range reports {
		rows = append(rows, []string{word(r.Election), r.Leader.what(), r.Leader.who(), r.Leader.age(), strconv.Itoa(len(r.Candidates))})
	}
	return a.table(rows)
}

func (a *app) electShow(ctx context.Context, client *etcd.Client, name string) error {
	s, err := election.Look(ctx, client, name)
	if err != nil {
		return err
	}
	r := newElectionReport(s, time.Now())
	if a.flags.json {
		return a.printJSON(r)
	}
	if r.Leader == nil {
		return a.say("nobody leads in election %s", word(name))
	}
	rows := [][]string{{"POSITION", "VALUE", "BY", "AGE", "ID"}}
	for _, c := range append([]candidateReport{*r.Leader}, r.Candidates...) {
		position := "leads"
		if c.Position > 0 {
			position = strconv.Itoa(c.Position)
		}
		rows = append(rows, []string{position, c.what(), c.who(), c.age(), strconv.FormatInt(c.ID, 10)})
	}
	return a.table(rows)
}

func (a *app) electWatch(ctx context.Context, client *etcd.Client, name string) error {
	for ev, err := range election.Observe(ctx, client, name) {
		if s := child.InterruptedBy(err); s != nil {
			return quit(child.Code(s))
		}
		if err != nil {
			return err
		}
		now := time.Now()
		o := newObservation(name, ev, now)
		if a.flags.json {
			err = a.printJSON(o)
		} else {
			err = a.say("%s", o.line(now))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

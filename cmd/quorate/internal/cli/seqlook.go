package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/sequence"
)

func (a *app) seqCurrentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "current NAME",
		Short: "Show the last number taken",
		Long: `current prints the last number that was taken of the sequence NAME, without
taking one. The exit code is 1 if there is no such sequence or no number was taken
yet.`,
		Args: oneSequence,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error {
				return a.seqCurrent(ctx, sequence.New(client, args[0], sequence.AsFound()))
			})
		},
	}
}

func (a *app) seqCurrent(ctx context.Context, s *sequence.Sequence) error {
	if a.flags.json {
		i, err := s.Info(ctx)
		if err != nil {
			return err
		}
		return a.printJSON(newSeqReport(i))
	}
	n, err := s.Current(ctx)
	if err != nil {
		return err
	}
	return a.say("%d", n)
}

func (a *app) seqSetCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "set NAME N",
		Short: "Make N the last number taken",
		Long: `set makes N the last number taken of the sequence NAME, so that the next one is
a step further. Going back, so that numbers are given out again, needs --force,
and so does bringing back a sequence that was deleted. One step before the start
stands for a sequence of which no number was taken.

A negative number stands behind "--".`,
		Example: `  quorate seq set orders 41000
  quorate seq set orders 0 --force       # from 1 again
  quorate seq set countdown -- -5`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("%s takes the name of a sequence and a number, but got %d arguments", c.CommandPath(), len(args))
			}
			if _, err := strconv.ParseInt(args[1], 10, 64); err != nil {
				return usage("%q is no number of 64 bits", args[1])
			}
			return sequenceName(args[0])
		},
		RunE: func(c *cobra.Command, args []string) error {
			n, _ := strconv.ParseInt(args[1], 10, 64) // Args has seen to it
			var opts []sequence.SetOption
			if force {
				opts = append(opts, sequence.Force())
			}
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error {
				s := sequence.New(client, args[0], sequence.AsFound())
				if err := s.Set(ctx, n, opts...); err != nil {
					return err
				}
				if a.flags.json {
					return a.seqCurrent(ctx, s)
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "go back, or bring back a sequence that was deleted")
	return c
}

func (a *app) seqLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the sequences",
		Long: `ls lists the sequences, how far each has come and how it was created, all as of
one moment.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error { return a.seqLs(ctx, client) })
		},
	}
}

// seqReport is a sequence as --json prints it.
type seqReport struct {
	Sequence string  `json:"sequence"`
	Key      string  `json:"key"`
	Last     *int64  `json:"last"` // null: no number was taken yet
	Left     *uint64 `json:"left,omitempty"`
	Start    *int64  `json:"start,omitempty"`
	Step     *int64  `json:"step,omitempty"`
	Min      *int64  `json:"min,omitempty"`
	Max      *int64  `json:"max,omitempty"`
	Cycle    bool    `json:"cycle"`
	Revision int64   `json:"revision"`
	Error    string  `json:"error,omitempty"`
}

func newSeqReport(i sequence.Info) seqReport {
	r := seqReport{Sequence: i.Name, Key: i.Key, Revision: i.Revision}
	if i.Err != nil {
		r.Error = plain(i.Err)
		return r
	}
	r.Left, r.Start, r.Step, r.Min, r.Max, r.Cycle = &i.Left, &i.Start, &i.Step, &i.Min, &i.Max, i.Cycle
	if i.Used {
		r.Last = &i.Last
	}
	return r
}

func (a *app) seqLs(ctx context.Context, client *etcd.Client) error {
	reports := []seqReport{}
	var failed error
	for i, err := range sequence.List(ctx, client) {
		if err != nil {
			failed = err // what came before is shown all the same
			break
		}
		reports = append(reports, newSeqReport(i))
	}
	if a.flags.json {
		if failed == nil {
			failed = a.printJSON(map[string][]seqReport{"sequences": reports})
		}
		return failed
	}
	if len(reports) == 0 {
		return failed
	}
	rows := [][]string{{"SEQUENCE", "LAST", "LEFT", "START", "STEP", "MIN", "MAX", "CYCLE"}}
	for _, r := range reports {
		if r.Error != "" {
			rows = append(rows, []string{word(r.Key), "-", "-", "-", "-", "-", "-", r.Error})
			continue
		}
		last := "-"
		if r.Last != nil {
			last = strconv.FormatInt(*r.Last, 10)
		}
		row := []string{word(r.Sequence), last, strconv.FormatUint(*r.Left, 10)}
		for _, n := range []*int64{r.Start, r.Step, r.Min, r.Max} {
			row = append(row, strconv.FormatInt(*n, 10))
		}
		rows = append(rows, append(row, strconv.FormatBool(r.Cycle)))
	}
	if err := a.table(rows); err != nil {
		return err
	}
	return failed
}

package cli

import (
	"bufio"
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
	"github.com/quorate/quorate/sequence"
)

func (a *app) seqCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "seq",
		Short: "Take numbers that nobody else gets",
		Long: `seq takes numbers from sequences: each number is given out once, and each is
greater than all that were given out before.`,
		Example: `  quorate seq next orders
  quorate seq next orders -n 100
  quorate seq set orders 41000     # go on behind the numbers of an old system`,
		Args: knownCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.seqNextCommand(), a.seqCurrentCommand(), a.seqSetCommand(), a.seqLsCommand())
	return c
}

// oneSequence is for the commands that take the name of a sequence.
func oneSequence(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes the name of one sequence, but got %d arguments", c.CommandPath(), len(args))
	}
	return sequenceName(args[0])
}

func sequenceName(name string) error {
	if _, err := names.Escape(name); err != nil {
		return usage("the name of a sequence: %w", err)
	}
	return nil
}

// seqFlags are the flags of "quorate seq next".
type seqFlags struct {
	n                     int64
	start, step, min, max int64
	cycle                 bool
}

// mostNumbers is how many numbers one call prints.
const mostNumbers = 10_000_000

func (a *app) seqNextCommand() *cobra.Command {
	var f seqFlags
	c := &cobra.Command{
		Use:   "next NAME [-n N]",
		Short: "Take the next number, or the next N",
		Long: `next takes the next number of the sequence NAME and prints it; with -n the next
N, which follow each other without a gap, each on a line.

The first use of a name creates the sequence, from 1 upwards or as the flags say.
Later it is used as it was created; flags that say otherwise are an error.`,
		Example: `  quorate seq next orders
  quorate seq next tickets -n 10 --json
  quorate seq next countdown --start 100 --step -1 --min 0`,
		Args: oneSequence,
		RunE: func(c *cobra.Command, args []string) error {
			if f.n <= 0 || f.n > mostNumbers {
				return usage("-n must be between 1 and %d, not %d", mostNumbers, f.n)
			}
			return a.withClient(c, func(ctx context.Context, client *etcd.Client) error {
				return a.seqNext(ctx, sequence.New(client, args[0], f.options(c)...), f.n)
			})
		},
	}
	c.Flags().Int64VarP(&f.n, "number", "n", 1, "how many numbers to take")
	c.Flags().Int64Var(&f.start, "start", 0, "the first number (default 1)")
	c.Flags().Int64Var(&f.step, "step", 0, "from one number to the next; negative counts down (default 1)")
	c.Flags().Int64Var(&f.min, "min", 0, "the least number (default 1, or none where it counts down)")
	c.Flags().Int64Var(&f.max, "max", 0, "the greatest number (default none, or -1 where it counts down)")
	c.Flags().BoolVar(&f.cycle, "cycle", false, "begin again behind the last number")
	return c
}

// options are those that the flags say; without any the sequence is used as it
// is found.
func (f *seqFlags) options(c *cobra.Command) []sequence.Option {
	var opts []sequence.Option
	for name, opt := range map[string]sequence.Option{
		"start": sequence.WithStart(f.start), "step": sequence.WithStep(f.step),
		"min": sequence.WithMin(f.min), "max": sequence.WithMax(f.max),
	} {
		if c.Flags().Changed(name) {
			opts = append(opts, opt)
		}
	}
	if f.cycle {
		opts = append(opts, sequence.WithCycle())
	}
	if len(opts) == 0 {
		opts = append(opts, sequence.AsFound())
	}
	return opts
}

func (a *app) seqNext(ctx context.Context, s *sequence.Sequence, n int64) error {
	r, err := s.NextN(ctx, n)
	if err != nil {
		return lostNumbers(err)
	}
	if a.flags.json {
		return a.printJSON(struct {
			Sequence string `json:"sequence"`
			First    int64  `json:"first"`
			Last     int64  `json:"last"`
			Count    int64  `json:"count"`
			Step     int64  `json:"step"`
		}{s.Name(), r.First(), r.Last(), r.Len(), r.Step()})
	}
	w := bufio.NewWriter(a.out)
	for v := range r.All() {
		_, _ = w.WriteString(strconv.FormatInt(v, 10) + "\n") // Flush gives the first error
	}
	return w.Flush()
}

// lostNumbers adds to an error that numbers may have been taken.
func lostNumbers(err error) error {
	if errors.Is(err, etcd.ErrUnknownOutcome) {
		return fail(codeOf(err), "%s; numbers may be lost, none comes twice", plain(err))
	}
	return err
}

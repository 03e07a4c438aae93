package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/queue"
)

// selectFlags say which jobs a command is about.
type selectFlags struct {
	all       bool
	olderThan time.Duration
}

func (f *selectFlags) add(c *cobra.Command, what string) {
	c.Flags().BoolVar(&f.all, "all", false, "all "+what)
	c.Flags().DurationVar(&f.olderThan, "older-than", 0, "only those that died, or if they are no dead letters were enqueued, longer ago than this")
}

// selection makes the selection of the jobs; ids are arguments.
func (f *selectFlags) selection(c *cobra.Command, ids []string) (which []queue.Selection, err error) {
	given := c.Flags().Changed("older-than")
	switch {
	case given && f.olderThan <= 0:
		return nil, usage("--older-than must be positive, not %v", f.olderThan)
	case f.all && (given || len(ids) > 0):
		return nil, usage("--all goes with neither --older-than nor ids")
	case !f.all && !given && len(ids) == 0:
		return nil, usage("which ones? Name ids, or give --older-than or --all")
	}
	if len(ids) > 0 {
		which = append(which, queue.ByID(ids...))
	}
	if given {
		which = append(which, queue.OlderThan(f.olderThan))
	}
	return which, nil
}

// counted prints how many jobs something was done with. That there was none of
// some ids, where nothing but ids was asked for, is an error.
func (a *app) counted(n int, done string, ids []string, which []queue.Selection) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(which) == 1 && n < len(ids) {
		return fail(exitFailed, "%d of %d jobs %s: the others are not there, or not in that state", n, len(ids), done)
	}
	if a.flags.json {
		return a.printJSON(struct {
			Jobs int `json:"jobs"`
		}{n})
	}
	jobs := "jobs"
	if n == 1 {
		jobs = "job"
	}
	_, err := fmt.Fprintf(a.out, "%d %s %s\n", n, jobs, done)
	return err
}

func (a *app) queueRedriveCommand() *cobra.Command {
	var f selectFlags
	c := &cobra.Command{
		Use:   "redrive NAME [ID...]",
		Short: "Put dead letters back into their queue",
		Long: `redrive puts dead letters of the queue NAME back to its end: those with these ids,
those that died longer ago than --older-than, or --all. They keep their ids and
have no attempts behind them.`,
		Args: queueArgs(0, -1, ""),
		RunE: func(c *cobra.Command, args []string) error {
			which, err := f.selection(c, args[1:])
			if err != nil {
				return err
			}
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error {
				n, err := q.Redrive(ctx, which...)
				if errors.Is(err, queue.ErrDuplicate) {
					return fail(exitFailed, "%d jobs are back in the queue; of some the unique key is taken: %s", n, plain(err))
				}
				if err != nil {
					return err
				}
				return a.counted(n, "put back into the queue", args[1:], which)
			})
		},
	}
	f.add(c, "dead letters")
	return c
}

func (a *app) queuePurgeCommand() *cobra.Command {
	var f selectFlags
	var state string
	c := &cobra.Command{
		Use:   "purge NAME --state STATE [ID...]",
		Short: "Remove jobs from a queue",
		Long: `purge removes jobs of the queue NAME that are ready, delayed or dead: those with
these ids, those older than --older-than, or --all. What a consumer has cannot be
removed.`,
		Example: `  quorate queue purge mails --state dead --older-than 168h
  quorate queue purge mails --state ready --all`,
		Args: queueArgs(0, -1, ""),
		RunE: func(c *cobra.Command, args []string) error {
			if state == "" {
				return usage("--state is missing: ready, delayed or dead")
			}
			s, err := stateNamed(state)
			if err != nil {
				return err
			}
			if s == queue.Claimed {
				return usage("claimed jobs cannot be purged")
			}
			which, err := f.selection(c, args[1:])
			if err != nil {
				return err
			}
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error {
				n, err := q.Purge(ctx, s, which...)
				if err != nil {
					return err
				}
				return a.counted(n, "removed", args[1:], which)
			})
		},
	}
	f.add(c, "jobs in that state")
	c.Flags().StringVar(&state, "state", "", "ready, delayed or dead")
	_ = c.RegisterFlagCompletionFunc("state", completeStates)
	return c
}

func (a *app) queuePauseCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "pause NAME",
		Short: "Keep consumers from taking jobs",
		Long: `pause keeps the consumers of the queue NAME from taking jobs until resume. What
they have they finish; jobs can still be put in.`,
		Args: queueArgs(0, 0, ""),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error { return q.Pause(ctx, reason) })
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "is shown by stats")
	return c
}

func (a *app) queueResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume NAME",
		Short: "Let consumers take jobs again",
		Args:  queueArgs(0, 0, ""),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error { return q.Resume(ctx) })
		},
	}
}

func (a *app) queueCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel NAME ID...",
		Short: "Remove jobs by their ids",
		Long: `cancel removes jobs of the queue NAME that are ready, delayed or dead letters. The
exit code is 75 if a consumer has the job.`,
		Args: queueArgs(1, -1, "the id of the job"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error {
				for i, id := range args[1:] {
					err := noSuchJob(q.Cancel(ctx, id), id)
					if err != nil && i > 0 {
						return fail(codeOf(err), "%s; the %d before it are removed", a.sentence(err), i)
					}
					if err != nil {
						return err
					}
				}
				return a.counted(len(args)-1, "removed", nil, nil)
			})
		},
	}
}

// noSuchJob gives errors about a single job their words and codes.
func noSuchJob(err error, id string) error {
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return fail(exitFailed, "there is no job %q", id)
	case errors.Is(err, queue.ErrClaimed):
		return fail(exitNotObtained, "a consumer is at work on job %q", id)
	}
	return err
}

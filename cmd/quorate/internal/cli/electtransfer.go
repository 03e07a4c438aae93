package cli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// transferFlags are the flags of "quorate elect transfer".
type transferFlags struct {
	to      string
	force   bool
	timeout time.Duration
}

func (a *app) electTransferCommand() *cobra.Command {
	var f transferFlags
	c := &cobra.Command{
		Use:   "transfer NAME",
		Short: "Have the leader hand over to a candidate",
		Long: `transfer asks the leader of the election NAME to hand over to the candidate that
--to names, by its id or its value as 'quorate elect show' tells them, or to the
next in line, and waits until that one leads. The leader ends its command first, so
there is never a second leader, and no vacancy either. It is for leaders that run
under 'quorate elect' or the library's Run; others may not listen.

With --force the leadership is taken from the leader at once, whatever it is doing.
It hears of it a moment later, and until then only its fencing token keeps it from
doing harm.`,
		Example: `  quorate elect transfer scheduler
  quorate elect transfer scheduler --to host-7`,
		Args: oneElection,
		RunE: func(c *cobra.Command, args []string) error {
			if f.timeout <= 0 {
				return usage("--timeout must be positive, not %v", f.timeout)
			}
			client, err := a.connect(c, nil)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := a.signals.Context(c.Context())
			defer stop()
			return a.electTransfer(ctx, client, f, args[0])
		},
	}
	c.Flags().StringVar(&f.to, "to", "", "the candidate: its id or its value (default: the next in line)")
	c.Flags().BoolVar(&f.force, "force", false, "do not ask the leader")
	c.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait until the candidate leads")
	return c
}

// transferTries is how often it is tried while the election changes at the same
// time.
const transferTries = 5

func (a *app) electTransfer(ctx context.Context, client *etcd.Client, f transferFlags, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errWaited)
	defer cancel()
	for range transferTries {
		s, err := election.Look(ctx, client, name)
		if timedOut(ctx, err) {
			return fail(exitNotObtained, "the leader of election %q has not handed over within %v: etcd at %s has not answered", name, f.timeout, a.where(err))
		}
		if err != nil {
			return err
		}
		to, err := chosen(s, f.to)
		if err != nil {
			return err
		}
		if f.force {
			err = election.Depose(ctx, client, name, *s.Leader, to)
		} else {
			err = election.Ask(ctx, client, name, *s.Leader, to)
		}
		if errors.Is(err, election.ErrChanged) {
			continue
		}
		if err == nil {
			err = a.awaitTransfer(ctx, client, name, to)
		}
		switch {
		case errors.Is(err, election.ErrNoCandidate):
			return fail(exitFailed, "the candidate %s does not stand in election %q any more", word(string(to.Value)), name)
		case err != nil && context.Cause(ctx) == errWaited:
			return fail(exitNotObtained, "the leader of election %q has not handed over within %v; --force does not ask", name, f.timeout)
		case err != nil:
			return err
		}
		r := newCandidateReport(to, time.Now())
		if a.flags.json {
			return a.printJSON(struct {
				Election string          `json:"election"`
				Leader   candidateReport `json:"leader"`
			}{name, r})
		}
		return a.say("%s leads in election %s: %s", r.what(), word(name), r.who())
	}
	return fail(exitFailed, "election %q changes all the time; try again", name)
}

// chosen finds the candidate that is meant.
func chosen(s *election.State, to string) (election.Candidate, error) {
	none := election.Candidate{}
	switch {
	case s.Leader == nil:
		return none, fail(exitFailed, "nobody leads in election %q", s.Name)
	case to == "" && len(s.Candidates) == 0:
		return none, fail(exitFailed, "nobody else stands in election %q", s.Name)
	case to == "":
		return s.Candidates[0], nil
	}
	var found []election.Candidate
	for _, c := range s.Candidates {
		if strconv.FormatInt(c.Created, 10) == to {
			return c, nil
		}
		if string(c.Value) == to {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return none, fail(exitFailed, "nobody who waits in election %q has the id or value %s; see 'quorate elect show'", s.Name, word(to))
	case 1:
		return found[0], nil
	}
	return none, usage("%d candidates in election %q have the value %s: say which by its id; see 'quorate elect show'", len(found), s.Name, word(to))
}

// awaitTransfer waits until the candidate leads, or cannot any more.
func (a *app) awaitTransfer(ctx context.Context, client *etcd.Client, name string, to election.Candidate) error {
	for ev, err := range election.Observe(ctx, client, name) {
		switch {
		case err != nil:
			return err
		case ev.Kind == election.Elected && ev.Leader.Is(to):
			return nil
		}
		s, err := election.Look(ctx, client, name)
		if err != nil {
			return err
		}
		if !stands(s, to) {
			return election.ErrNoCandidate
		}
	}
	return nil
}

// stands reports whether a candidate leads or waits.
func stands(s *election.State, c election.Candidate) bool {
	if s.Leader != nil && s.Leader.Is(c) {
		return true
	}
	for _, other := range s.Candidates {
		if other.Is(c) {
			return true
		}
	}
	return false
}

package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// jobInfo is a job as the command prints it with --json.
type jobInfo struct {
	ID           string            `json:"id"`
	State        string            `json:"state"`
	Priority     int               `json:"priority"`
	Attempt      int               `json:"attempt"`
	EnqueuedAt   time.Time         `json:"enqueued_at"`
	Due          *time.Time        `json:"due,omitempty"`
	Expires      *time.Time        `json:"expires,omitempty"`
	Unique       string            `json:"unique,omitempty"`
	Headers      map[string]string `json:"headers,omitempty"`
	LastError    string            `json:"last_error,omitempty"`
	Reason       string            `json:"reason,omitempty"`
	DiedBy       string            `json:"died_by,omitempty"`
	DiedAt       *time.Time        `json:"died_at,omitempty"`
	Consumer     string            `json:"consumer,omitempty"`
	ClaimedSince *time.Time        `json:"claimed_since,omitempty"`
	Suspect      bool              `json:"suspect,omitempty"`
	Payload      *string           `json:"payload,omitempty"`        // where it is text
	PayloadBytes []byte            `json:"payload_base64,omitempty"` // where it is not
}

func describeJob(j queue.Job) jobInfo {
	when := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	i := jobInfo{
		ID: j.ID, State: j.State.String(), Priority: j.Priority, Attempt: j.Attempt,
		EnqueuedAt: j.EnqueuedAt, Due: when(j.Due), Expires: when(j.Expires), Unique: j.Unique, Headers: j.Headers,
		LastError: j.LastError, Reason: j.Reason, DiedBy: j.DiedBy, DiedAt: when(j.DiedAt),
		Consumer: j.Consumer, ClaimedSince: when(j.ClaimedSince), Suspect: j.Suspect,
	}
	if s := string(j.Payload); utf8.ValidString(s) {
		i.Payload = &s
	} else {
		i.PayloadBytes = j.Payload
	}
	return i
}

// jobStates are the states of jobs as flags name them.
var jobStates = []queue.State{queue.Ready, queue.Claimed, queue.Delayed, queue.Dead}

func stateNamed(name string) (queue.State, error) {
	for _, s := range jobStates {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, usage("--state %q is none of ready, claimed, delayed and dead", name)
}

func completeStates(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, s := range jobStates {
		names = append(names, s.String())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) queueLsCommand() *cobra.Command {
	var state string
	var limit int
	c := &cobra.Command{
		Use:   "ls [NAME]",
		Short: "List the jobs of a queue, or the queues",
		Long: `ls lists the jobs of the queue NAME: those that are ready in the order in which
they will be claimed, those that are claimed, the delayed ones by the time when
they are due, and the dead letters, oldest first. Without NAME it lists the names
of the queues there are.

With --json it prints an object a line; payloads that are no text are in base64.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return queueArgs(0, 0, "")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			states := jobStates
			if state != "" {
				s, err := stateNamed(state)
				if err != nil {
					return err
				}
				states = []queue.State{s}
			}
			if limit < 0 {
				return usage("--limit must not be negative, but is %d", limit)
			}
			if len(args) == 0 {
				if c.Flags().Changed("state") || c.Flags().Changed("limit") {
					return usage("--state and --limit are about the jobs of a queue: %s", c.UseLine())
				}
				return a.unbounded(c, a.queueNames)
			}
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error {
				return a.queueLs(ctx, q, states, limit)
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only those that are ready, claimed, delayed or dead")
	c.Flags().IntVar(&limit, "limit", 100, "how many jobs of each state; 0 for all")
	_ = c.RegisterFlagCompletionFunc("state", completeStates)
	return c
}

func (a *app) queueNames(ctx context.Context, client *etcd.Client) error {
	names, err := queue.Names(ctx, client)
	if err != nil {
		return err
	}
	for _, name := range names {
		if a.flags.json {
			err = a.printJSON(struct {
				Name string `json:"name"`
			}{name})
		} else {
			err = a.say("%s", word(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) queueLs(ctx context.Context, q *jobs, states []queue.State, limit int) error {
	rows := [][]string{{"ID", "STATE", "PRIORITY", "ATTEMPT", "AGE", "ABOUT", "PAYLOAD"}}
	for _, s := range states {
		n := 0
		for j, err := range q.List(ctx, s) {
			if err != nil {
				return err
			}
			if n++; limit > 0 && n > limit {
				rows = append(rows, []string{"...", s.String()})
				break
			}
			if a.flags.json {
				if err := a.printJSON(describeJob(j)); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, jobRow(j))
		}
	}
	if a.flags.json {
		return nil
	}
	return a.table(rows)
}

func jobRow(j queue.Job) []string {
	about := "-"
	switch {
	case j.State == queue.Claimed:
		about = fmt.Sprintf("%s for %s", j.Consumer, age(time.Since(j.ClaimedSince)))
	case j.State == queue.Delayed:
		about = "due in " + age(max(time.Until(j.Due), 0))
	case j.State == queue.Dead:
		about = fmt.Sprintf("%s (%s)", clipped(j.Reason, 40), j.DiedBy)
	case j.Suspect:
		about = "its consumer died"
	}
	return []string{
		j.ID, j.State.String(), strconv.Itoa(j.Priority), strconv.Itoa(j.Attempt), age(time.Since(j.EnqueuedAt)),
		about, clipped(string(j.Payload), 50),
	}
}

// clipped shows the beginning of s on one line.
func clipped(s string, n int) string {
	out := make([]rune, 0, n)
	for _, r := range s {
		if len(out) == n {
			return string(out) + "..."
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '.'
		}
		out = append(out, r)
	}
	return string(out)
}

func (a *app) queueShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME ID",
		Short: "Show a job with all that is known of it",
		Args:  queueArgs(1, 1, "the id of the job"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withQueue(c, args[0], func(ctx context.Context, q *jobs) error {
				j, err := q.Get(ctx, args[1])
				if err != nil {
					return noSuchJob(err, args[1])
				}
				if a.flags.json {
					return a.printJSON(describeJob(j))
				}
				return a.table(describeJob(j).rows())
			})
		},
	}
}

// rows is a job for people.
func (i jobInfo) rows() [][]string {
	rows := [][]string{{"id", i.ID}, {"state", i.State}, {"priority", strconv.Itoa(i.Priority)}, {"attempts", strconv.Itoa(i.Attempt)},
		{"enqueued", i.EnqueuedAt.Format(time.RFC3339Nano)}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	at := func(name string, t *time.Time) {
		if t != nil {
			add(name, t.Format(time.RFC3339Nano))
		}
	}
	at("due", i.Due)
	at("expires", i.Expires)
	add("unique key", i.Unique)
	for _, name := range slices.Sorted(maps.Keys(i.Headers)) {
		add("header "+clipped(name, 80), clipped(i.Headers[name], 1000))
	}
	add("last error", clipped(i.LastError, 2000))
	add("reason", clipped(i.Reason, 2000))
	add("died by", i.DiedBy)
	at("died", i.DiedAt)
	add("consumer", i.Consumer)
	at("claimed", i.ClaimedSince)
	if i.Suspect {
		add("suspect", "its consumer died")
	}
	if i.Payload != nil {
		add("payload", clipped(*i.Payload, 2000))
	} else {
		add("payload", clipped(string(i.PayloadBytes), 2000))
	}
	return rows
}

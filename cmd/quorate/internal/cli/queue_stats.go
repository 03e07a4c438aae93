package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// queueStatus is a queue as "quorate queue stats --json" prints it.
type queueStatus struct {
	Name      string  `json:"name"`
	Ready     int64   `json:"ready"`
	Claimed   int64   `json:"claimed"`
	Delayed   int64   `json:"delayed"`
	Dead      int64   `json:"dead"`
	Estimated bool    `json:"estimated"` // Ready is reckoned, not counted
	Suspect   int64   `json:"suspect"`
	Consumers int     `json:"consumers"`
	OldestMS  float64 `json:"oldest_ready_ms"`
	In        float64 `json:"enqueued_per_s"`
	Out       float64 `json:"claimed_per_s"`
	Paused    bool    `json:"paused"`
	Reason    string  `json:"pause_reason,omitempty"`
}

func (a *app) queueStatsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats [NAME...]",
		Short: "Show how many jobs queues have",
		Long: `stats shows for each queue NAME, or for all there are, how many jobs are ready,
claimed by consumers, delayed (until their time, or until they are tried again)
and dead letters, the consumers that are alive, how long ago the first job in
line was enqueued, and how many jobs a second came and were claimed of late.`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if err := checkQueueName(name); err != nil {
					return err
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.unbounded(c, func(ctx context.Context, client *etcd.Client) error {
				return a.queueStats(ctx, client, args)
			})
		},
	}
}

func (a *app) queueStats(ctx context.Context, client *etcd.Client, names []string) error {
	there, err := queue.Names(ctx, client)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(there, name) {
			return fail(exitFailed, "there is no queue %q", name)
		}
	}
	if len(names) == 0 {
		names = there
	}
	report := []queueStatus{}
	for _, name := range names {
		st, err := queue.New[[]byte](client, name).Stats(ctx)
		if err != nil {
			return err
		}
		report = append(report, queueStatus{
			Name: name, Ready: st.Ready, Claimed: st.Claimed, Delayed: st.Delayed, Dead: st.Dead,
			Estimated: st.Estimated, Suspect: st.Suspect, Consumers: st.Consumers,
			OldestMS: milliseconds(st.OldestReady), In: st.EnqueueRate, Out: st.ClaimRate,
			Paused: st.Paused, Reason: st.PauseReason,
		})
	}
	if a.flags.json {
		return a.printJSON(struct {
			Queues []queueStatus `json:"queues"`
		}{report})
	}
	rows := [][]string{{"QUEUE", "READY", "CLAIMED", "DELAYED", "DEAD", "CONSUMERS", "OLDEST", "IN/S", "OUT/S", "STATE"}}
	for _, r := range report {
		rows = append(rows, r.row())
	}
	return a.table(rows)
}

func (r queueStatus) row() []string {
	ready, oldest, state := fmt.Sprint(r.Ready), "-", "-"
	if r.Estimated {
		ready = "~" + ready
	}
	if r.Ready > 0 {
		oldest = age(time.Duration(r.OldestMS * float64(time.Millisecond)))
	}
	if r.Paused {
		if state = "paused"; r.Reason != "" {
			state += ": " + clipped(r.Reason, 60)
		}
	}
	return []string{
		word(r.Name), ready, fmt.Sprint(r.Claimed), fmt.Sprint(r.Delayed), fmt.Sprint(r.Dead), fmt.Sprint(r.Consumers),
		oldest, fmt.Sprintf("%.1f", r.In), fmt.Sprintf("%.1f", r.Out), state,
	}
}

// age shows how long ago something was.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 100*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

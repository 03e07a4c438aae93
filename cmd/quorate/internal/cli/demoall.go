package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/quorate/quorate/cmd/quorate/internal/census"
	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// demoFlags are the flags of "quorate demo".
type demoFlags struct {
	dir     string
	workers int
	most    int
}

// demoBound bounds a demonstration, in which nothing should take long.
const demoBound = 2 * time.Minute

// demoSummary is what "quorate demo --json" prints.
type demoSummary struct {
	Verified  bool     `json:"verified"`
	Dir       string   `json:"dir"`
	Files     int      `json:"files"`
	Bytes     int64    `json:"bytes"`
	Workers   int      `json:"workers"`
	Killed    string   `json:"killed"`
	Held      int64    `json:"held_by_killed"` // jobs it had
	Lost      int      `json:"lost"`
	Wrong     int      `json:"wrong"`
	Twice     int      `json:"delivered_twice"`      // deliveries beyond the first of a job
	TwiceDone int      `json:"results_twice"`        // results beyond the first of a file
	Leaders   []string `json:"leaders"`              // who wrote the report, in order
	Seconds   float64  `json:"seconds"`              // from the first result to the last
	Rate      float64  `json:"files_per_s"`          // of the time until only the killed one's jobs were left
	TakeOver  float64  `json:"seconds_to_take_over"` // from the kill to the first result of a job it had held
	Problems  []string `json:"problems"`
}

// A demoAll is a run of "quorate demo".
type demoAll struct {
	a       *app
	f       demoFlags
	client  *etcd.Client
	q       *queue.Queue[string]
	files   []string
	report  string
	bar     *progress
	victim  *demoProcess
	workers []*demoProcess
	killed  time.Time
	sum     demoSummary
}

// demoAll runs the whole demonstration.
func (a *app) demoAll(ctx context.Context, f demoFlags) error {
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	f.dir = dir
	files, more, err := census.List(f.dir, f.most)
	switch {
	case err != nil:
		return fail(exitFailed, "list the files: %w", err)
	case len(files) == 0:
		return fail(exitFailed, "there are no files below %s", f.dir)
	}
	temp, err := os.MkdirTemp("", "quorate-demo-")
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	defer os.RemoveAll(temp)
	cluster, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return devFlags{}.explain(err)
	}
	defer func() { _ = cluster.Stop(context.WithoutCancel(ctx)) }()
	client, err := etcd.New(etcd.Config{Endpoints: cluster.Endpoints()})
	if err != nil {
		return fail(exitFailed, "%w", err)
	}
	defer client.Close()
	d := &demoAll{a: a, f: f, client: client, files: files, report: filepath.Join(temp, "report"), bar: a.progress()}
	d.q = queue.New[string](client, demoQueue)
	d.sum = demoSummary{Dir: f.dir, Files: len(files), Workers: f.workers, Leaders: []string{}, Problems: []string{}}
	first := ""
	if more {
		first = " first"
	}
	a.demoSay("%d worker processes hash the%s %s below %s.", f.workers, first, counted(len(files), "file"), f.dir)
	bounded, cancel := context.WithTimeoutCause(ctx, demoBound, errors.New("the demonstration takes too long"))
	defer cancel()
	defer d.bar.close()
	if err := d.run(bounded, devEnv(os.Environ(), cluster.Endpoints())); err != nil {
		return demoFailed(ctx, err)
	}
	return d.verdict(bounded)
}

// run has the workers do it all, one of them killed in the middle.
func (d *demoAll) run(ctx context.Context, env []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	for part := range slices.Chunk(d.files, 1000) {
		if _, err := d.q.EnqueueMany(ctx, part); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx) // ends what is left of the processes
	defer func() {
		cancel()
		for _, p := range d.workers {
			<-p.ended
		}
	}()
	start := func(name string, args ...string) (*demoProcess, error) {
		p, err := startDemo(ctx, exe, env, name, append(args, "--dir", d.f.dir, "--report", d.report)...)
		if err == nil {
			d.workers = append(d.workers, p)
		}
		return p, err
	}
	stuckAfter := min(len(d.files)/4+1, 20)
	if d.victim, err = start("worker-1", "--stuck-after", fmt.Sprint(stuckAfter)); err != nil {
		return err
	}
	for _, word := range []<-chan struct{}{d.victim.leads, d.victim.stuck} {
		if err := d.victim.await(ctx, word); err != nil {
			return err
		}
	}
	for i := range d.f.workers - 1 {
		if _, err := start(fmt.Sprintf("worker-%d", i+2)); err != nil {
			return err
		}
	}
	if err := d.until(ctx, d.middle); err != nil {
		return err
	}
	d.killed = time.Now()
	d.victim.kill()
	d.sum.Killed = d.victim.name
	d.bar.close()
	d.a.demoSay("  %s was elected reporter, and is killed with -9 in the middle; it had %s, and the result of one was there but not acknowledged.",
		d.victim.name, counted(int(d.sum.Held), "job"))
	if err := d.until(ctx, d.complete); err != nil {
		return err
	}
	d.bar.close()
	for _, p := range d.workers[1:] {
		if err := p.stop(); err != nil {
			return err
		}
	}
	return nil
}

// until looks again and again until yes says so, or a worker ends.
func (d *demoAll) until(ctx context.Context, yes func(ctx context.Context, results int64, st queue.Stats) (bool, error)) error {
	for {
		r, err := d.client.Get(ctx, etcd.Prefix(demoResults), etcd.CountOnly())
		if err != nil {
			return interruptedOr(ctx, err)
		}
		st, err := d.q.Stats(ctx)
		if err != nil {
			return interruptedOr(ctx, err)
		}
		d.bar.show("%d of %d files", r.Count, len(d.files))
		if ok, err := yes(ctx, r.Count, st); ok || err != nil {
			return err
		}
		if st.Dead > 0 {
			return errors.New("jobs have become dead letters: files that cannot be read, or that were removed meanwhile")
		}
		for _, p := range d.workers {
			select {
			case <-p.ended:
				if p != d.victim || d.killed.IsZero() {
					return p.await(ctx, nil)
				}
			default:
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// middle reports whether half of the results are there, or all but those of the
// one to be killed.
func (d *demoAll) middle(ctx context.Context, results int64, st queue.Stats) (bool, error) {
	if results < int64(len(d.files))/2 && st.Ready > 0 {
		return false, nil
	}
	d.sum.Held = 0
	for j, err := range d.q.List(ctx, queue.Claimed) {
		if err != nil {
			return false, err
		}
		if d.consumerOf(ctx, j.Consumer) {
			d.sum.Held++
		}
	}
	return true, nil
}

// consumerOf reports whether a consumer is the one of the process to be killed.
func (d *demoAll) consumerOf(ctx context.Context, id string) bool {
	cs, err := d.q.Consumers(ctx)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(cs, func(c queue.ConsumerInfo) bool {
		return c.ID == id && c.PID == d.victim.cmd.Process.Pid
	})
}

// complete reports whether all is done and reported by somebody who lives.
func (d *demoAll) complete(_ context.Context, results int64, st queue.Stats) (bool, error) {
	if results < int64(len(d.files)) || st.Ready+st.Claimed+st.Delayed > 0 {
		return false, nil
	}
	r, err := census.ReadReport(d.report)
	if err != nil || len(r.Entries) == 0 {
		return false, err
	}
	last := r.Entries[len(r.Entries)-1]
	return last.Results == results && last.Leader != d.victim.name, nil
}

// results reads all results.
func (d *demoAll) results(ctx context.Context) (out []census.Result, err error) {
	for kv, err := range d.client.List(ctx, etcd.Prefix(demoResults)) {
		if err != nil {
			return nil, err
		}
		var r census.Result
		if err := json.Unmarshal(kv.Value, &r); err != nil {
			return nil, fmt.Errorf("key %q: %w", kv.Key, err)
		}
		out = append(out, r)
	}
	return out, nil
}

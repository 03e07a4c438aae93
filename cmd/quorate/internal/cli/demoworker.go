package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/cmd/quorate/internal/census"
	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
	"github.com/quorate/quorate/queue"
	"github.com/quorate/quorate/sequence"
)

// Names and keys of "quorate demo".
const (
	demoQueue    = "files"
	demoSequence = "results"
	demoElection = "reporter"
	demoReportL  = "report"
	demoResults  = "demo/result/" // + number: a census.Result
	demoFiles    = "demo/file/"   // + file: the number of its result

	demoWorkerTTL = 4 * time.Second
)

// A demoEvent is what a process of the demonstration says, a line each.
type demoEvent struct {
	Event   string `json:"event"` // "job", "leads" or "stuck"
	File    string `json:"file,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Term    int64  `json:"term,omitempty"`
}

// demoWorkerCommand is what the worker processes run.
func (a *app) demoWorkerCommand() *cobra.Command {
	var w demoWorker
	c := &cobra.Command{
		Use:    "worker NAME",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.connect(c, nil)
			if err != nil {
				return err
			}
			defer client.Close()
			w.name, w.client, w.out = args[0], client, a.out
			// It ends when whoever started it says so, or ends.
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin)
				cancel()
			}()
			return w.run(ctx)
		},
	}
	c.Flags().StringVar(&w.dir, "dir", ".", "")
	c.Flags().StringVar(&w.report, "report", "", "")
	c.Flags().IntVar(&w.stuckAfter, "stuck-after", 0, "")
	return c
}

// A demoWorker is a process that hashes files, and stands for election.
type demoWorker struct {
	name, dir, report string
	stuckAfter        int // jobs after which it stays stuck until killed; 0: never

	client *etcd.Client
	seq    *sequence.Sequence
	done   atomic.Int64

	mu  sync.Mutex
	out io.Writer
}

// run works until ctx ends.
func (w *demoWorker) run(ctx context.Context) error {
	s, err := etcd.NewSession(ctx, w.client, etcd.WithTTL(demoWorkerTTL))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close(context.WithoutCancel(ctx)) }()
	w.seq = sequence.New(w.client, demoSequence)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		m := lock.New(s, demoReportL)
		err := election.New(s, demoElection).Run(gctx, []byte(w.name), func(ctx context.Context, t *election.Term) error {
			w.say(demoEvent{Event: "leads", Term: t.Token()})
			return w.lead(ctx, t, m)
		})
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	g.Go(func() error {
		return queue.NewWorker(s, queue.New[string](w.client, demoQueue), w.hash, queue.WorkerConfig{
			RetryMin: 100 * time.Millisecond,
		}).Run(gctx)
	})
	return g.Wait()
}

// hash works on a file: its result and the result's number are written in one
// commit, if the claim still holds and nobody has written one before.
func (w *demoWorker) hash(ctx context.Context, d *queue.Delivery[string]) error {
	w.say(demoEvent{Event: "job", File: d.Value, Attempt: d.Attempt})
	n := w.done.Add(1)
	if w.stuckAfter > 0 && n > int64(w.stuckAfter) {
		select {} // until killed
	}
	sum, size, err := census.Sum(w.dir, d.Value)
	if errors.Is(err, fs.ErrNotExist) {
		return queue.Permanent(err)
	} else if err != nil {
		return err
	}
	r := census.Result{File: d.Value, Sum: sum, Size: size, Worker: w.name, Attempt: d.Attempt}
	file := demoFiles + d.Value
	_, _, err = w.seq.NextIn(ctx, func(n int64) etcd.Txn {
		r.Number, r.At = n, time.Now()
		value, _ := json.Marshal(r) // always marshals
		return etcd.Txn{
			If: []etcd.Cmp{d.Guard(), etcd.Missing(etcd.Key(file))},
			Then: []etcd.Op{
				etcd.Put(file, []byte(strconv.FormatInt(n, 10))),
				etcd.Put(fmt.Sprintf("%s%016d", demoResults, n), value),
			},
		}
	})
	if err == nil && n == int64(w.stuckAfter) {
		w.say(demoEvent{Event: "stuck", File: d.Value})
		select {} // its result is there, but it is not acknowledged
	}
	return err // nil, too, where an earlier delivery has written the result
}

// lead writes how far all is into the report, as often as that changes, under a
// lock, until ctx ends.
func (w *demoWorker) lead(ctx context.Context, t *election.Term, m *lock.Mutex) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for last := int64(-1); ; {
		err := m.Do(ctx, func(ctx context.Context, h *lock.Handle) error {
			r, err := w.client.Get(ctx, etcd.Prefix(demoResults), etcd.CountOnly())
			if err != nil || r.Count == last {
				return err
			}
			if err := errors.Join(t.Err(), h.Err()); err != nil {
				return err
			}
			last = r.Count
			return census.Add(w.report, census.Entry{Leader: w.name, Term: t.Token(), Lock: h.Token(), Results: r.Count})
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *demoWorker) say(e demoEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = writeJSON(w.out, e)
}

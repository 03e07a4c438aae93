package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// queueWork runs the command for each job.
func (a *app) queueWork(c *cobra.Command, f workFlags, name string, command []string) error {
	run, err := find(command)
	if err != nil {
		return err
	}
	client, err := a.connect(c, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	soft, stopSoft := a.signals.Context(c.Context())
	defer stopSoft()
	w := &queueWorker{a: a, f: f, q: queue.New[[]byte](client, name), bar: a.progress()}
	w.runner = newRunner(run, name, f, w.bar)
	defer w.runner.close()
	defer w.bar.close()
	for first := true; ; first = false {
		err := w.turn(soft, client, first)
		switch {
		case soft.Err() != nil || err == nil:
			w.bar.close()
			w.summary()
			return err
		case !lostTouch(err, first):
			w.bar.close()
			return err
		}
		w.say("the claims are lost: %s; going on when etcd answers", a.sentence(err))
		select {
		case <-time.After(time.Second):
		case <-soft.Done():
		}
	}
}

// lostTouch reports whether it is worth going on after err: the session is gone,
// but etcd may come back.
func lostTouch(err error, first bool) bool {
	if errors.Is(err, queue.ErrDamaged) || errors.Is(err, etcd.ErrInvalid) || errors.Is(err, etcd.ErrPermissionDenied) {
		return false
	}
	var ended *etcd.SessionError
	return errors.As(err, &ended) || errors.Is(err, queue.ErrConsumerGone) || !first && codeOfEtcd(err) == exitUnavailable
}

// A queueWorker is a run of "quorate queue work".
type queueWorker struct {
	a      *app
	f      workFlags
	q      *jobs
	runner *runner
	bar    *progress

	mu     sync.Mutex
	counts map[queue.Verdict]int
}

// turn works with one session: until soft ends, which is no error, the queue is
// empty, or the session is lost.
func (w *queueWorker) turn(soft context.Context, client *etcd.Client, first bool) error {
	s, err := w.a.session(soft, client, w.f.lease())
	if err != nil {
		return interruptedOr(soft, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(soft), w.a.patience())
		defer cancel()
		_ = s.Close(ctx)
	}()
	worker := queue.NewWorker(s, w.q, func(ctx context.Context, d *queue.Delivery[[]byte]) error {
		return w.runner.run(ctx, s, d)
	}, queue.WorkerConfig{
		Concurrency: w.f.concurrency, MaxAttempts: w.f.attempts, Timeout: w.f.timeout,
		RetryMin: w.f.backoff, RetryMax: w.f.maxBackoff,
		StopTimeout: w.f.stop, KillTimeout: w.f.grace + 5*time.Second,
		Drain: w.f.drain, Observe: w.observe,
	})
	ran := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() {
		select {
		case <-soft.Done():
		case <-ran:
			return
		}
		hard, stop := w.a.signals.Context(context.WithoutCancel(soft))
		defer stop()
		select {
		case <-hard.Done():
			worker.StopNow()
		case <-ran:
		}
	})
	err = worker.Run(soft)
	close(ran)
	stopping.Wait()
	return err
}

// interruptedOr gives the signal that ended ctx, or err.
func interruptedOr(ctx context.Context, err error) error {
	if child.InterruptedBy(context.Cause(ctx)) != nil {
		return context.Cause(ctx)
	}
	return err
}

// A jobEvent is what "quorate queue work --json" writes to standard error, a
// line for each delivery.
type jobEvent struct {
	Event   string   `json:"event"` // done, retried, buried, "handed back" or lost
	Queue   string   `json:"queue"`
	Job     string   `json:"job"`
	Attempt int      `json:"attempt"`
	Exit    *int     `json:"exit,omitempty"`
	Error   string   `json:"error,omitempty"`
	TookMS  float64  `json:"took_ms"`
	RetryMS *float64 `json:"retry_in_ms,omitempty"`
}

// observe counts a delivery and tells of it.
func (w *queueWorker) observe(o queue.Outcome) {
	w.mu.Lock()
	if w.counts == nil {
		w.counts = map[queue.Verdict]int{}
	}
	w.counts[o.What]++
	done, failed := w.counts[queue.Done], w.counts[queue.Retried]+w.counts[queue.Buried]
	w.mu.Unlock()
	w.bar.show("%s: %d done, %d failed, %d running", w.q.Name(), done, failed, w.runner.busy())
	e := jobEvent{Event: o.What.String(), Queue: w.q.Name(), Job: o.Job.ID, Attempt: o.Job.Attempt, TookMS: milliseconds(o.Took)}
	if exit := (*commandError)(nil); errors.As(o.Err, &exit) {
		e.Exit = &exit.exit.Code
	} else if o.What == queue.Done {
		e.Exit = new(int)
	}
	if o.Err != nil {
		e.Error = oneLine(o.Err.Error())
	}
	if o.What == queue.Retried {
		ms := milliseconds(o.Delay)
		e.RetryMS = &ms
	}
	if w.a.flags.json {
		w.mu.Lock()
		defer w.mu.Unlock()
		_ = writeJSON(w.a.errOut, e)
		return
	}
	switch o.What {
	case queue.Retried:
		w.say("job %s, attempt %d: %s; again in %v", e.Job, e.Attempt, oneLine(headOf(o.Err)), o.Delay.Round(time.Millisecond))
	case queue.Buried:
		w.say("job %s, attempt %d: %s; it is a dead letter now", e.Job, e.Attempt, oneLine(headOf(o.Err)))
	case queue.Lost:
		w.say("job %s, attempt %d: the claim was lost; others get it", e.Job, e.Attempt)
	}
}

// headOf leaves out what the command wrote itself: that was shown.
func headOf(err error) string {
	if exit := (*commandError)(nil); errors.As(err, &exit) {
		return exit.head()
	}
	return err.Error()
}

// say tells people something.
func (w *queueWorker) say(format string, args ...any) {
	if w.f.quiet || w.a.flags.json {
		return
	}
	fmt.Fprintf(w.bar.through(w.a.errOut), "quorate: "+format+"\n", args...)
}

// summary tells on a terminal what was done.
func (w *queueWorker) summary() {
	if w.f.quiet || w.a.flags.json || !term.IsTerminal(int(os.Stderr.Fd())) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.a.errOut, "quorate: %s: %d jobs done, %d to be tried again, %d dead letters, %d handed back\n", w.q.Name(),
		w.counts[queue.Done], w.counts[queue.Retried], w.counts[queue.Buried], w.counts[queue.HandedBack])
}

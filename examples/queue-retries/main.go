// Command queue-retries shows a queue of jobs with a worker: a job that fails is
// tried again, one that never succeeds becomes a dead letter, and dead letters
// are put back when the trouble is over.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/queue-retries
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the example; endpoints, if there are any, go before the environment's.
func run(ctx context.Context, w io.Writer, endpoints ...string) error {
	cfg, err := etcd.ConfigFromEnv()
	if err != nil {
		return err
	}
	if len(endpoints) > 0 {
		cfg.Endpoints = endpoints
	}
	client, err := etcd.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := etcd.NewSession(ctx, client)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(ctx) }()

	// A job is any value that JSON can carry.
	type mail struct{ To, Text string }
	q := queue.New[mail](client, "examples/mails")
	for _, state := range []queue.State{queue.Ready, queue.Delayed, queue.Dead} {
		if _, err := q.Purge(ctx, state); err != nil { // of an earlier run
			return err
		}
	}
	if _, err := q.EnqueueMany(ctx, []mail{{"ann", "hello"}, {"bob", "hello"}, {"nobody", "hello"}}); err != nil {
		return err
	}

	var mu sync.Mutex
	known := map[string]bool{"ann": true}
	send := func(_ context.Context, d *queue.Delivery[mail]) error {
		mu.Lock()
		defer mu.Unlock()
		if d.Value.To == "bob" && d.Attempt == 1 {
			known["bob"] = true // from now on
			return errors.New("the line is busy")
		}
		if !known[d.Value.To] {
			return errors.New("unknown address")
		}
		fmt.Fprintf(w, "sent to %s, attempt %d\n", d.Value.To, d.Attempt)
		return nil
	}

	// Run ends when the queue is empty. Without Drain it goes on until ctx ends,
	// and hands back what it has not begun.
	work := func() error {
		return queue.NewWorker(session, q, send, queue.WorkerConfig{
			Concurrency: 1,
			MaxAttempts: 3,
			RetryMin:    10 * time.Millisecond, // doubles each time
			Drain:       true,
		}).Run(ctx)
	}
	if err := work(); err != nil {
		return err
	}
	for job, err := range q.List(ctx, queue.Dead) {
		if err != nil {
			return err
		}
		v, err := q.Decode(job)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "dead letter to %s after %d attempts: %s\n", v.To, job.Attempt, job.Reason)
	}

	known["nobody"] = true // somebody has seen to it
	n, err := q.Redrive(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d put back\n", n)
	return work()
}

// Command lock-timeout waits for a lock no longer than it has time for, and tells
// who holds it.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/lock-timeout
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
	"github.com/quorate/quorate/lock"
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

	// Two sessions stand for two processes.
	ours, err := etcd.NewSession(ctx, client)
	if err != nil {
		return err
	}
	defer ours.Close(ctx)
	theirs, err := etcd.NewSession(ctx, client)
	if err != nil {
		return err
	}
	defer theirs.Close(ctx)

	const name = "examples/lock-timeout"
	held, err := lock.New(theirs, name, lock.WithMetadata(map[string]string{"job": "nightly"})).Acquire(ctx)
	if err != nil {
		return err
	}

	// Do not wait at all.
	m := lock.New(ours, name)
	_, err = m.TryAcquire(ctx)
	fmt.Fprintf(w, "try: held by somebody else: %t\n", errors.Is(err, lock.ErrHeld))

	// Wait for a while: the deadline of the context is the timeout. The error
	// says who holds the lock, and nothing of us stays in the line.
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = m.Acquire(waiting)
	fmt.Fprintf(w, "acquire: timed out: %t\n", errors.Is(err, context.DeadlineExceeded))
	var e *lock.Error
	if errors.As(err, &e) && len(e.By) > 0 {
		fmt.Fprintf(w, "acquire: the holder runs job %q\n", e.By[0].Metadata["job"])
	}
	waiters, err := m.Waiters(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "in line after that: %d\n", len(waiters))

	// Wait as long as it takes.
	var other sync.WaitGroup
	defer other.Wait()
	other.Go(func() {
		time.Sleep(50 * time.Millisecond)
		_ = held.Release(ctx)
	})
	h, err := m.Acquire(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "acquired, with a greater token: %t\n", h.Token() > held.Token())
	return h.Release(ctx)
}

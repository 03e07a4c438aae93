// Command lock-semaphore gives out a number of permits, and changes that number.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/lock-semaphore
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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

	session, err := etcd.NewSession(ctx, client)
	if err != nil {
		return err
	}
	defer session.Close(ctx)

	const name = "examples/lock-semaphore"
	licences := lock.NewSemaphore(session, name, 3)
	big, err := licences.Acquire(ctx, 2)
	if err != nil {
		return err
	}
	small, err := licences.Acquire(ctx, 1)
	if err != nil {
		return err
	}
	_, err = licences.TryAcquire(ctx, 1)
	fmt.Fprintf(w, "all 3 are taken: %t\n", errors.Is(err, lock.ErrHeld))
	state, err := licences.State(ctx)
	if err != nil {
		return err
	}
	for _, h := range state.Holders {
		fmt.Fprintf(w, "  %d held\n", h.Weight)
	}

	// All must agree on how many there are.
	_, err = lock.NewSemaphore(session, name, 10).Acquire(ctx, 1)
	fmt.Fprintf(w, "somebody who believes in 10 is told so: %t\n", errors.Is(err, lock.ErrMismatch))

	// Who holds permits keeps them; the new number counts from now on.
	if licences, err = licences.Resize(ctx, 4); err != nil {
		return err
	}
	more, err := licences.TryAcquire(ctx, 1)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "of 4 there is one more")
	if err := errors.Join(big.Release(ctx), small.Release(ctx), more.Release(ctx)); err != nil {
		return err
	}
	return lock.Forget(ctx, client, name) // so that the next run can begin with 3
}

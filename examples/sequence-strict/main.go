// Command sequence-strict takes numbers that grow, whoever takes them.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/sequence-strict
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/sequence"
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

	orders := sequence.New(client, "examples/sequence-strict", sequence.WithStart(1000))
	// So that the example prints the same each time. An operator would say
	// "quorate seq set".
	if err := orders.Set(ctx, 999, sequence.Force()); err != nil {
		return err
	}
	n, err := orders.Next(ctx)
	switch {
	case errors.Is(err, etcd.ErrUnknownOutcome):
		return fmt.Errorf("a number may be lost, which leaves a gap: %w", err)
	case err != nil:
		return err // none was taken
	}
	fmt.Fprintln(w, "one:", n)

	r, err := orders.NextN(ctx, 5)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "five in a row:", slices.Collect(r.All()))

	// Callers share commits: these take a handful, not a hundred.
	numbers := make([]int64, 100)
	g, gctx := errgroup.WithContext(ctx)
	for i := range numbers {
		g.Go(func() (err error) {
			numbers[i], err = orders.Next(gctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	slices.Sort(numbers)
	fmt.Fprintf(w, "a hundred at once: %d to %d, %d different\n", numbers[0], numbers[99], len(slices.Compact(numbers)))

	// All users of a name agree on how it counts.
	_, err = sequence.New(client, "examples/sequence-strict", sequence.WithStep(2)).Next(ctx)
	fmt.Fprintln(w, "another step:", errors.Is(err, sequence.ErrMismatch))
	current, err := orders.Current(ctx)
	fmt.Fprintln(w, "current:", current)
	return err
}

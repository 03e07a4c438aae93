// Command sequence-cached takes numbers from blocks in memory.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/sequence-cached
package main

import (
	"context"
	"fmt"
	"io"
	"os"

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

	events := sequence.New(client, "examples/sequence-cached")
	if err := events.Set(ctx, 0, sequence.Force()); err != nil { // the same output each time
		return err
	}

	// One commit takes 1000 numbers; the next block is fetched before it runs
	// out. Any number of goroutines may call Next.
	ids := events.Cached(1000)
	last := int64(0)
	for range 1700 {
		if last, err = ids.Next(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "1700 numbers, the last:", last)
	taken, err := events.Current(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "taken from the sequence:", taken >= 2000)

	// What nobody got goes back, if nobody has taken numbers after it. Without
	// Close it is lost, but never given out twice.
	if err := ids.Close(ctx); err != nil {
		return err
	}
	next, err := events.Next(ctx)
	fmt.Fprintln(w, "after Close the next is:", next)
	return err
}

// Command lock-rw lets readers share a lock and a writer have it alone, and lets the
// writer become a reader without letting go.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/lock-rw
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

	catalog := lock.NewRW(session, "examples/lock-rw")
	one, err := catalog.AcquireRead(ctx)
	if err != nil {
		return err
	}
	two, err := catalog.AcquireRead(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "two readers share it")
	_, err = catalog.TryAcquire(ctx)
	fmt.Fprintf(w, "a writer has to wait: %t\n", errors.Is(err, lock.ErrHeld))
	if err := errors.Join(one.Release(ctx), two.Release(ctx)); err != nil {
		return err
	}

	writer, err := catalog.Acquire(ctx)
	if err != nil {
		return err
	}
	_, err = catalog.TryAcquireRead(ctx)
	fmt.Fprintf(w, "beside a writer nobody reads: %t\n", errors.Is(err, lock.ErrHeld))

	// What was written is now read by us and by others, and nobody can have
	// changed it in between.
	reader, err := writer.Downgrade(ctx)
	if err != nil {
		return err
	}
	other, err := catalog.TryAcquireRead(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "downgraded, others read as well; the writer's handle has ended: %t\n", errors.Is(writer.Err(), lock.ErrDowngraded))
	return errors.Join(reader.Release(ctx), other.Release(ctx))
}

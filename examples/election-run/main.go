// Command election-run works only while it leads. The work stops when the
// leadership is lost, and goes on when it is won again.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/election-run
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
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

	var last int64
	terms := 0
	e := election.New(session, "examples/election-run")
	err = e.Run(ctx, []byte("worker"), func(ctx context.Context, t *election.Term) error {
		terms++
		fmt.Fprintf(w, "leading, with a greater token: %t\n", t.Token() > last)
		last = t.Token()

		// What is written under the guard is written by the leader, or not at all.
		write := func(ctx context.Context) (bool, error) {
			r, err := client.Txn(ctx, etcd.Txn{
				If:   []etcd.Cmp{t.Guard()},
				Then: []etcd.Op{etcd.Put("examples/election-run/work", []byte("done"))},
			})
			return err == nil && r.Succeeded, err
		}
		ok, err := write(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "written under the guard: %t\n", ok)
		if terms == 2 {
			return nil // by itself: Run resigns and returns
		}

		// An operator revokes the lease. The work is told by its context, and
		// the guard refuses what comes too late.
		if err := client.Revoke(ctx, session.Lease()); err != nil {
			return err
		}
		<-ctx.Done()
		fmt.Fprintf(w, "lost because the lease was revoked: %t\n", errors.Is(context.Cause(ctx), etcd.ErrSessionRevoked))
		ok, err = write(context.WithoutCancel(ctx))
		fmt.Fprintf(w, "written after the loss: %t\n", ok)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "terms: %d\n", terms)
	return nil
}

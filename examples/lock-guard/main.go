// Command lock-guard protects a write by the guard of a lock, so that it fails if the
// lock is lost, however late the loss is noticed.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/lock-guard
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
	const key = "examples/lock-guard/config"
	defer client.Delete(ctx, etcd.Key(key))

	m := lock.New(session, "examples/lock-guard")
	h, err := m.Acquire(ctx)
	if err != nil {
		return err
	}
	// The write is carried out if and only if the lock is still ours at the
	// very moment of the commit. A look at h.Err() before could not say that.
	write := func(h *lock.Handle, value string) error {
		r, err := client.Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{h.Guard()},
			Then: []etcd.Op{etcd.Put(key, []byte(value))},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "write %s: carried out: %t\n", value, r.Succeeded)
		return nil
	}
	if err := write(h, "v1"); err != nil {
		return err
	}

	// An operator takes the lock away; somebody else gets it.
	if _, err := m.Break(ctx, h.Token(), "we need it"); err != nil {
		return err
	}
	other, err := m.Acquire(ctx)
	if err != nil {
		return err
	}
	if err := write(other, "v2"); err != nil {
		return err
	}
	if err := write(h, "v3"); err != nil { // whether it has noticed or not
		return err
	}

	// And it does notice: its context ends, with the reason.
	<-h.Context().Done()
	var broken *lock.BrokenError
	if errors.As(context.Cause(h.Context()), &broken) {
		fmt.Fprintf(w, "lost, because: %s\n", broken.Reason)
	}
	got, err := client.Get(ctx, etcd.Key(key))
	if err != nil {
		return err
	}
	kv, _ := got.First()
	fmt.Fprintf(w, "in etcd: %s\n", kv.Value)
	return other.Release(ctx)
}

// Command lease shows keys that go when their lease does, and a session.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/lease
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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

	// A lease, by hand: what is bound to it lasts as long as somebody renews it.
	const key = "examples/lease/host-7"
	lease, err := client.Grant(ctx, time.Minute)
	if err != nil {
		return err
	}
	if _, err := client.Put(ctx, key, []byte("here"), etcd.WithLease(lease.ID)); err != nil {
		return err
	}
	if lease, err = client.KeepAlive(ctx, lease.ID); err != nil {
		return err
	}
	fmt.Fprintf(w, "renewed, for another %v\n", lease.TTL)
	info, err := client.TimeToLive(ctx, lease.ID, etcd.WithKeys())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "bound to it: %q\n", info.Keys)
	if err := client.Revoke(ctx, lease.ID); err != nil {
		return err
	}
	got, err := client.Get(ctx, etcd.Key(key))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "keys after its end: %d\n", got.Count)

	// A session renews its lease by itself. Its context ends, with a cause,
	// before the lease can have run out.
	session, err := etcd.NewSession(ctx, client, etcd.WithTTL(time.Minute))
	if err != nil {
		return err
	}
	if _, err := client.Put(ctx, key, []byte("here"), etcd.WithLease(session.Lease())); err != nil {
		return err
	}
	fmt.Fprintf(w, "session alive: %t\n", session.Err() == nil)
	if err := session.Close(ctx); err != nil {
		return err
	}
	cause := context.Cause(session.Context())
	fmt.Fprintf(w, "session closed: %t\n", errors.Is(cause, etcd.ErrSessionClosed))
	if got, err = client.Get(ctx, etcd.Key(key)); err != nil {
		return err
	}
	fmt.Fprintf(w, "keys after its end: %d\n", got.Count)
	return nil
}

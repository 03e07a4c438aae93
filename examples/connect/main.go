// Command connect shows how to connect, and asks every member how it is.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/connect
package main

import (
	"context"
	"fmt"
	"io"
	"os"

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

	// New does no I/O; this is the first that needs an etcd.
	for _, s := range client.Statuses(ctx) {
		if s.Err != nil {
			return s.Err
		}
		role := "follower"
		if s.Status.IsLeader() {
			role = "leader"
		}
		fmt.Fprintf(w, "etcd %s, %s, healthy: %t\n", s.Status.Version, role, len(s.Status.Errors) == 0)
	}
	members, err := client.Members(ctx, true)
	if err != nil {
		return err
	}
	alarms, err := client.Alarms(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "members: %d, alarms: %d\n", len(members), len(alarms))
	return nil
}

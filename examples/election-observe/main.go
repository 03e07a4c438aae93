// Command election-observe sees every leader, every value that a leader
// proclaims, and every vacancy, in order.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/election-observe
package main

import (
	"context"
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

	const name = "examples/election-observe"
	led := make(chan error, 1)
	vacancies := 0
	// An observer needs no session. Each step below is what it was waiting for.
	for ev, err := range election.Observe(ctx, client, name) {
		if err != nil {
			return err
		}
		switch ev.Kind {
		case election.Vacant:
			fmt.Fprintln(w, "nobody leads")
			if vacancies++; vacancies == 2 {
				return <-led
			}
			go func() { led <- lead(ctx, election.New(session, name)) }()
		case election.Elected:
			fmt.Fprintf(w, "%s leads\n", ev.Leader.Value)
		case election.Proclaimed:
			fmt.Fprintf(w, "the leader says: %s\n", ev.Leader.Value)
		case election.Gap: // etcd has compacted what happened meanwhile
			fmt.Fprintln(w, "something was missed; the next event tells how things stand")
		}
	}
	return nil
}

// lead is a leader that has something to say.
func lead(ctx context.Context, e *election.Election) error {
	t, err := e.Campaign(ctx, []byte("host-7"))
	if err != nil {
		return err
	}
	if err := t.Proclaim(ctx, []byte("host-7 at port 8080")); err != nil {
		return err
	}
	return t.Resign(ctx)
}

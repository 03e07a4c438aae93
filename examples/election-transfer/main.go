// Command election-transfer hands the leadership to a candidate of its choice,
// without a vacancy and without a second leader.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/election-transfer
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

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

	e := election.New(session, "examples/election-transfer")
	term, err := e.Campaign(ctx, []byte("old"))
	if err != nil {
		return err
	}

	// Two more wait, one after the other. They stand for other processes.
	type outcome struct {
		term *election.Term
		err  error
	}
	waiting := map[string]chan outcome{"next": make(chan outcome, 1), "best": make(chan outcome, 1)}
	for i, value := range []string{"next", "best"} {
		go func() {
			t, err := e.Campaign(ctx, []byte(value))
			waiting[value] <- outcome{t, err}
		}()
		for { // until it stands in the line
			cs, err := e.Candidates(ctx)
			if err != nil {
				return err
			}
			if len(cs) > i {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}

	// Choose by what the candidates say, and hand over.
	candidates, err := e.Candidates(ctx)
	if err != nil {
		return err
	}
	for _, c := range candidates {
		fmt.Fprintf(w, "waiting in place %d: %s\n", c.Position, c.Value)
	}
	if err := term.Transfer(ctx, candidates[1]); err != nil {
		return err
	}
	fmt.Fprintln(w, "the old term:", term.Err())
	best := <-waiting["best"]
	if best.err != nil {
		return best.err
	}
	leader, err := e.Leader(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s leads, with a greater token: %t\n", leader.Value, best.term.Token() > term.Token())

	// The others have kept their places.
	if err := best.term.Resign(ctx); err != nil {
		return err
	}
	next := <-waiting["next"]
	if next.err != nil {
		return next.err
	}
	fmt.Fprintf(w, "%s leads\n", next.term.Value())
	return next.term.Resign(ctx)
}

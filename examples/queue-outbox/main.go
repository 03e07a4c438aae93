// Command queue-outbox shows a job that is put into a queue together with what
// it is about, in one transaction: there is never the one without the other.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/queue-outbox
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
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
	defer func() { _ = session.Close(ctx) }()

	const root = "examples/outbox/order/"
	type event struct{ Order, What string }
	q := queue.New[event](client, "examples/outbox")
	for _, state := range []queue.State{queue.Ready, queue.Delayed, queue.Dead} {
		if _, err := q.Purge(ctx, state); err != nil { // of an earlier run
			return err
		}
	}
	if _, err := client.Delete(ctx, etcd.Prefix(root)); err != nil {
		return err
	}

	// The order and the event about it are written together, if the order is
	// new. EnqueueOp sends nothing: its operation goes into our transaction.
	for _, order := range []string{"17", "18", "17"} {
		_, tell, err := q.EnqueueOp(event{Order: order, What: "placed"})
		if err != nil {
			return err
		}
		res, err := client.Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.Missing(etcd.Key(root + order))},
			Then: []etcd.Op{etcd.Put(root+order, []byte("3 apples")), tell},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "order %s placed: %t\n", order, res.Succeeded)
	}

	return queue.NewWorker(session, q, func(_ context.Context, d *queue.Delivery[event]) error {
		fmt.Fprintf(w, "told of order %s: %s\n", d.Value.Order, d.Value.What)
		return nil
	}, queue.WorkerConfig{Concurrency: 1, Drain: true}).Run(ctx)
}

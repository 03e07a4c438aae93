// Command sequence-invoice numbers invoices without a gap: a number is taken if,
// and only if, its invoice is written.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/sequence-invoice
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

	const root = "examples/sequence-invoice/"
	invoices := sequence.New(client, "examples/sequence-invoice")
	if err := invoices.Set(ctx, 0, sequence.Force()); err != nil { // the same output each time
		return err
	}
	if _, err := client.Delete(ctx, etcd.Prefix(root)); err != nil {
		return err
	}

	for _, order := range []string{"shoes", "hat", "shoes", "scarf"} {
		billed := root + "billed/" + order
		// It may be called several times, with other numbers, if others are
		// faster: so it does nothing but make the transaction.
		n, res, err := invoices.NextIn(ctx, func(n int64) etcd.Txn {
			number := fmt.Sprintf("%06d", n)
			return etcd.Txn{
				If: []etcd.Cmp{etcd.Missing(etcd.Key(billed))},
				Then: []etcd.Op{
					etcd.Put(root+"invoice/"+number, []byte(order)),
					etcd.Put(billed, []byte(number)),
				},
				Else: []etcd.Op{etcd.Get(etcd.Key(billed))},
			}
		})
		if err != nil {
			// If it answers etcd.ErrUnknownOutcome the invoice may be written:
			// try again, billed/ORDER tells.
			return err
		}
		if !res.Succeeded {
			kv, _ := res.Results[0].Get.First()
			fmt.Fprintf(w, "%s: billed already, as %s; no number is taken\n", order, kv.Value)
			continue
		}
		fmt.Fprintf(w, "%s: invoice %d\n", order, n)
	}
	for kv, err := range client.List(ctx, etcd.Prefix(root+"invoice/")) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s = %s\n", kv.Key[len(root):], kv.Value)
	}
	return nil
}

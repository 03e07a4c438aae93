// Command txn shows a transaction and both of its branches.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/txn
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

	const seat = "examples/txn/seat-17"
	if _, err := client.Delete(ctx, etcd.Prefix(seat)); err != nil {
		return err
	}
	for _, who := range []string{"Ada", "Grace"} {
		// Book the seat if it is free; otherwise see who has it. One request,
		// and nobody comes in between.
		r, err := client.Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.Missing(etcd.Key(seat))},
			Then: []etcd.Op{etcd.Put(seat, []byte(who))},
			Else: []etcd.Op{etcd.Get(etcd.Key(seat))},
		})
		if err != nil {
			// If it answers etcd.ErrUnknownOutcome the seat may be booked.
			return err
		}
		if r.Succeeded {
			fmt.Fprintf(w, "%s has the seat\n", who)
			continue
		}
		kv, _ := r.Results[0].Get.First()
		fmt.Fprintf(w, "%s is too late: %s has it\n", who, kv.Value)
	}

	// Hand it over, if it still is whose it was, and leave a trace: both or
	// neither.
	r, err := client.Txn(ctx, etcd.Txn{
		If: []etcd.Cmp{etcd.IfValue(etcd.Key(seat), etcd.Equal, []byte("Ada"))},
		Then: []etcd.Op{
			etcd.Put(seat, []byte("Grace")),
			etcd.Put(seat+"/before", []byte("Ada")),
			etcd.Get(etcd.Prefix(seat)),
		},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "handed over: %t\n", r.Succeeded)
	for _, kv := range r.Results[2].Get.KVs {
		fmt.Fprintf(w, "  %s = %s\n", kv.Key, kv.Value)
	}
	_, err = client.Delete(ctx, etcd.Prefix(seat))
	return err
}

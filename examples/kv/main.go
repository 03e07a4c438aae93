// Command kv shows how to write, read and delete keys, ranges and prefixes.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/kv
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

	const root = "examples/kv/"
	if _, err := client.Delete(ctx, etcd.Prefix(root)); err != nil {
		return err
	}

	// Create, read, update.
	if _, err := client.Put(ctx, root+"fruit/apple", []byte("red")); err != nil {
		return err
	}
	got, err := client.Get(ctx, etcd.Key(root+"fruit/apple"))
	if err != nil {
		return err
	}
	if kv, ok := got.First(); ok {
		fmt.Fprintf(w, "apple is %s, version %d\n", kv.Value, kv.Version)
	}
	put, err := client.Put(ctx, root+"fruit/apple", []byte("green"), etcd.WithPrev())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "apple was %s\n", put.Prev.Value)

	for _, name := range []string{"fruit/banana", "fruit/cherry", "fruit/date", "root/carrot"} {
		if _, err := client.Put(ctx, root+name, []byte("ripe")); err != nil {
			return err
		}
	}

	// A range has its start and not its end.
	got, err = client.Get(ctx, etcd.Range(root+"fruit/apple", root+"fruit/cherry"))
	if err != nil {
		return err
	}
	for _, kv := range got.KVs {
		fmt.Fprintf(w, "in the range: %s\n", kv.Key)
	}

	// A prefix, the last one first, and no values.
	got, err = client.Get(ctx, etcd.Prefix(root+"fruit/"), etcd.WithSort(etcd.ByKey, etcd.Descending), etcd.WithLimit(2), etcd.KeysOnly())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d fruits, of them %s and %s are last\n", got.Count, got.KVs[0].Key, got.KVs[1].Key)

	// A long listing comes page by page, all of it as of one revision.
	n := 0
	for kv, err := range client.List(ctx, etcd.Prefix(root), etcd.PageSize(2)) {
		if err != nil {
			return err
		}
		n += len(kv.Value)
	}
	fmt.Fprintf(w, "all values together have %d bytes\n", n)

	gone, err := client.Delete(ctx, etcd.Prefix(root+"fruit/"))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d fruits deleted\n", gone.Deleted)
	got, err = client.Get(ctx, etcd.Prefix(root), etcd.CountOnly())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d key left\n", got.Count)
	return nil
}

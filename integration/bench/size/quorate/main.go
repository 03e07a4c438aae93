// Command quorate takes one lock and releases it. The bench looks at how large
// it is.
package main

import (
	"context"
	"log"
	"os"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	client, err := etcd.New(etcd.Config{Endpoints: os.Args[1:]})
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := etcd.NewSession(ctx, client)
	if err != nil {
		return err
	}
	defer session.Close(ctx)
	handle, err := lock.New(session, "size").Acquire(ctx)
	if err != nil {
		return err
	}
	return handle.Release(ctx)
}

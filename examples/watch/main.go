// Command watch shows how to watch keys, and that keys can be added to what is
// watched, and removed, while it runs.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/watch
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

	const root = "examples/watch/"
	if _, err := client.Delete(ctx, etcd.Prefix(root)); err != nil {
		return err
	}
	put := func(key, value string) error {
		_, err := client.Put(ctx, root+key, []byte(value))
		return err
	}
	// show prints the next change that a watch sees.
	show := func(name string, watch *etcd.Watcher) error {
		events, err := watch.Next(ctx)
		if err != nil {
			return err
		}
		for _, e := range events.Events {
			switch {
			case e.Type == etcd.EventDelete:
				fmt.Fprintf(w, "%s: %s deleted\n", name, e.KV.Key)
			case e.IsCreate():
				fmt.Fprintf(w, "%s: %s created with %s\n", name, e.KV.Key, e.KV.Value)
			default:
				fmt.Fprintf(w, "%s: %s changed from %s to %s\n", name, e.KV.Key, e.Prev.Value, e.KV.Value)
			}
		}
		return nil
	}

	// All watches of a client share one connection. When Watch returns, no
	// later change is missed.
	lamps, err := client.Watch(ctx, etcd.Prefix(root+"lamp/"), etcd.WithPrev())
	if err != nil {
		return err
	}
	defer lamps.Close()
	if err := put("lamp/hall", "off"); err != nil {
		return err
	}
	if err := show("lamps", lamps); err != nil {
		return err
	}

	// Add another key while the first watch runs.
	door, err := client.Watch(ctx, etcd.Key(root+"door"), etcd.WithPrev())
	if err != nil {
		return err
	}
	defer door.Close()
	if err := put("door", "open"); err != nil {
		return err
	}
	if err := show("door", door); err != nil {
		return err
	}
	if err := put("lamp/hall", "on"); err != nil {
		return err
	}
	if err := show("lamps", lamps); err != nil {
		return err
	}

	// Remove it again; the first one goes on.
	door.Close()
	if err := put("door", "closed"); err != nil { // nobody sees this
		return err
	}
	if _, err := client.Delete(ctx, etcd.Prefix(root)); err != nil {
		return err
	}
	return show("lamps", lamps)
}

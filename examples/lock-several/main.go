// Command lock-several takes several locks of different kinds in one commit, under
// one guard. Whoever asks for them in another order does not block it.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/lock-several
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
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

	const key = "examples/lock-several/transfers"
	for _, account := range []string{"ada", "grace"} {
		if _, err := client.Put(ctx, key+"/"+account, []byte("100")); err != nil {
			return err
		}
	}
	defer client.Delete(ctx, etcd.Prefix(key))

	// Two processes move money to and fro, each asking for its own account
	// first: with one lock after the other they would soon wait for each other
	// for ever.
	var g errgroup.Group
	for _, way := range [][2]string{{"ada", "grace"}, {"grace", "ada"}} {
		g.Go(func() error {
			session, err := etcd.NewSession(ctx, client)
			if err != nil {
				return err
			}
			defer session.Close(ctx)
			from := lock.New(session, key+"/"+way[0])
			to := lock.New(session, key+"/"+way[1])
			audit := lock.NewRW(session, key+"/audit").Reader() // auditors keep everybody out
			slots := lock.NewSemaphore(session, key+"/slots", 2).Weight(1)
			for range 5 {
				h, err := lock.AcquireAll(ctx, from, to, audit, slots)
				if err != nil {
					return err
				}
				if err := move(ctx, client, h, key+"/"+way[0], key+"/"+way[1], 10); err != nil {
					return err
				}
				if err := h.Release(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r, err := client.Get(ctx, etcd.Prefix(key))
	if err != nil {
		return err
	}
	for _, kv := range r.KVs {
		fmt.Fprintf(w, "%s = %s\n", kv.Key, kv.Value)
	}
	return lock.Forget(ctx, client, key+"/slots")
}

// move moves money from one key to another if all the locks of h are held.
func move(ctx context.Context, client *etcd.Client, h *lock.Handle, from, to string, amount int) error {
	balance := map[string]int{}
	for _, key := range []string{from, to} {
		r, err := client.Get(ctx, etcd.Key(key))
		if err != nil {
			return err
		}
		kv, _ := r.First()
		if balance[key], err = strconv.Atoi(string(kv.Value)); err != nil {
			return err
		}
	}
	r, err := client.Txn(ctx, etcd.Txn{
		If: []etcd.Cmp{h.Guard()}, // one guard for all of them
		Then: []etcd.Op{
			etcd.Put(from, []byte(strconv.Itoa(balance[from]-amount))),
			etcd.Put(to, []byte(strconv.Itoa(balance[to]+amount))),
		},
	})
	if err == nil && !r.Succeeded {
		err = h.Err() // lost meanwhile: nothing was written
	}
	return err
}

// Command queue-once shows a job whose result is written exactly once, although
// the job is delivered twice: result and acknowledgement are one commit.
// It goes to the etcd that the ETCDCTL_ variables name, or to
// http://127.0.0.1:2379: go run ./cmd/quorate dev -- go run ./examples/queue-once
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

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

	const account = "examples/once/account"
	q := queue.New[int](client, "examples/once") // of deposits
	for _, state := range []queue.State{queue.Ready, queue.Delayed, queue.Dead} {
		if _, err := q.Purge(ctx, state); err != nil { // of an earlier run
			return err
		}
	}
	if _, err := client.Put(ctx, account, []byte("100")); err != nil {
		return err
	}
	if _, err := q.Enqueue(ctx, 10); err != nil {
		return err
	}

	// One consumer gets the job, and then has it taken away: an operator does so
	// here, and a crash or a lost lease would. It does not know, and goes on.
	slow, err := q.Consumer(session)
	if err != nil {
		return err
	}
	defer func() { _ = slow.Close(ctx) }()
	stale, err := slow.Receive(ctx, 1)
	if err != nil {
		return err
	}
	if _, err := q.Reclaim(ctx, slow.ID()); err != nil {
		return err
	}

	// Another one gets it, and books it.
	other, err := q.Consumer(session)
	if err != nil {
		return err
	}
	defer func() { _ = other.Close(ctx) }()
	if err := slow.Close(ctx); err != nil { // it is not to claim the job again
		return err
	}
	fresh, err := other.Receive(ctx, 1)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "attempt %d books\n", fresh[0].Attempt)
	if err := deposit(ctx, client, account, fresh[0]); err != nil {
		return err
	}
	err = deposit(ctx, client, account, stale[0])
	fmt.Fprintf(w, "attempt %d is too late: %t\n", stale[0].Attempt, errors.Is(err, queue.ErrClaimLost))

	got, err := client.Get(ctx, etcd.Key(account))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "the account has %s\n", got.KVs[0].Value)
	return nil
}

// deposit books a deposit: if the account is as it was read, and the claim still
// holds, the account changes and the job is done, both or neither.
func deposit(ctx context.Context, client *etcd.Client, account string, d *queue.Delivery[int]) error {
	for {
		got, err := client.Get(ctx, etcd.Key(account))
		if err != nil {
			return err
		}
		kv := got.KVs[0]
		balance, err := strconv.Atoi(string(kv.Value))
		if err != nil {
			return err
		}
		res, err := d.AckWith(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(etcd.Key(account), etcd.Equal, kv.ModRevision)},
			Then: []etcd.Op{etcd.Put(account, []byte(strconv.Itoa(balance+d.Value)))},
		})
		if err != nil || res.Succeeded {
			return err
		}
		// Somebody else has changed the account meanwhile: once more.
	}
}

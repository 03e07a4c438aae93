package sequence_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// exampleClient gives a client, and what ends it. In a program it is that of a
// real etcd.
func exampleClient() (*etcd.Client, func()) {
	srv := etcdtest.New()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		_ = client.Close()
		srv.Close()
	}
}

func Example() {
	client, end := exampleClient()
	defer end()
	ctx := context.Background()

	seq := sequence.New(client, "orders", sequence.WithStart(1000))
	for range 3 {
		n, err := seq.Next(ctx)
		if err != nil {
			// If it answers etcd.ErrUnknownOutcome a number may be lost: a gap.
			log.Fatal(err)
		}
		fmt.Println(n)
	}
	// Output:
	// 1000
	// 1001
	// 1002
}

func ExampleSequence_NextN() {
	client, end := exampleClient()
	defer end()
	r, err := sequence.New(client, "tickets", sequence.WithStep(10)).NextN(context.Background(), 4)
	fmt.Println(slices.Collect(r.All()), r, err)
	// Output: [1 11 21 31] 4 numbers from 1 to 31 <nil>
}

func ExampleSequence_Current() {
	client, end := exampleClient()
	defer end()
	ctx := context.Background()
	seq := sequence.New(client, "orders")
	_, err := seq.Current(ctx)
	fmt.Println(errors.Is(err, sequence.ErrNotFound))
	_, _ = seq.NextN(ctx, 7)
	fmt.Println(seq.Current(ctx))
	// Output:
	// true
	// 7 <nil>
}

// A number that is taken if, and only if, the invoice is written.
func ExampleSequence_NextIn() {
	client, end := exampleClient()
	defer end()
	ctx := context.Background()
	invoices := sequence.New(client, "invoices")
	for _, order := range []string{"shoes", "shoes", "hat"} {
		billed := etcd.Key("billed/" + order)
		n, res, err := invoices.NextIn(ctx, func(n int64) etcd.Txn {
			return etcd.Txn{
				If: []etcd.Cmp{etcd.Missing(billed)},
				Then: []etcd.Op{
					etcd.Put(fmt.Sprintf("invoice/%08d", n), []byte(order)),
					etcd.Put("billed/"+order, nil),
				},
			}
		})
		switch {
		case err != nil:
			log.Fatal(err)
		case !res.Succeeded:
			fmt.Println(order, "is billed already")
		default:
			fmt.Println(order, "has invoice", n)
		}
	}
	// Output:
	// shoes has invoice 1
	// shoes is billed already
	// hat has invoice 2
}

func ExampleSequence_Cached() {
	client, end := exampleClient()
	defer end()
	ctx := context.Background()
	seq := sequence.New(client, "events")
	ids := seq.Cached(1000) // one commit for 1000 numbers
	for range 3 {
		n, err := ids.Next(ctx)
		fmt.Println(n, err)
	}
	fmt.Println(ids.Close(ctx)) // nobody has taken numbers since, so
	fmt.Println(seq.Next(ctx))
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
	// <nil>
	// 4 <nil>
}

func ExampleSequence_Set() {
	client, end := exampleClient()
	defer end()
	ctx := context.Background()
	seq := sequence.New(client, "customers")
	fmt.Println(seq.Set(ctx, 41_000)) // where the old database was
	fmt.Println(seq.Next(ctx))
	err := seq.Set(ctx, 10)
	fmt.Println(errors.Is(err, sequence.ErrBackwards))
	fmt.Println(seq.Set(ctx, 10, sequence.Force()))
	// Output:
	// <nil>
	// 41001 <nil>
	// true
	// <nil>
}

func ExampleWithCycle() {
	client, end := exampleClient()
	defer end()
	ports := sequence.New(client, "ports", sequence.WithMin(8000), sequence.WithMax(8002), sequence.WithCycle())
	for range 4 {
		fmt.Println(ports.Next(context.Background()))
	}
	// Output:
	// 8000 <nil>
	// 8001 <nil>
	// 8002 <nil>
	// 8000 <nil>
}

func ExampleList() {
	client, end := exampleClient()
	defer end()
	ctx := context.Background()
	_, _ = sequence.New(client, "a").NextN(ctx, 3)
	_, _ = sequence.New(client, "b", sequence.WithMax(10)).Next(ctx)
	for i, err := range sequence.List(ctx, client) {
		fmt.Println(i.Name, i.Last, i.Max-i.Last == int64(i.Left), err)
	}
	// Output:
	// a 3 true <nil>
	// b 1 true <nil>
}

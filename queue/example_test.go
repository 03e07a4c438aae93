package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// Order is a job.
type Order struct {
	Customer string
	Amount   int
}

// exampleSession gives a session, and what ends it. In a program it is made
// with the client of a real etcd.
func exampleSession() (*etcd.Session, func()) {
	srv := etcdtest.New()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	session, err := etcd.NewSession(context.Background(), client)
	if err != nil {
		log.Fatal(err)
	}
	return session, func() {
		_ = session.Close(context.Background())
		_ = client.Close()
		srv.Close()
	}
}

func Example() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()

	q := queue.New[Order](session.Client(), "orders")
	if _, err := q.EnqueueMany(ctx, []Order{{"anna", 12}, {"ben", 7}}); err != nil {
		log.Fatal(err)
	}
	c, err := q.Consumer(session)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	for done := 0; done < 2; {
		ds, err := c.Receive(ctx, 10)
		if err != nil {
			log.Fatal(err)
		}
		for _, d := range ds {
			fmt.Println(d.Value.Customer, d.Value.Amount, d.Attempt)
			if err := d.Ack(ctx); err != nil {
				log.Fatal(err)
			}
			done++
		}
	}
	// Output:
	// anna 12 1
	// ben 7 1
}

func ExampleQueue_Enqueue() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	q := queue.New[Order](session.Client(), "orders")
	_, err := q.Enqueue(ctx, Order{"anna", 12},
		queue.Delay(time.Minute), queue.Priority(3), queue.Unique("anna/2026-01"), queue.TTL(time.Hour))
	fmt.Println(err)
	_, err = q.Enqueue(ctx, Order{"anna", 12}, queue.Unique("anna/2026-01"))
	fmt.Println(errors.Is(err, queue.ErrDuplicate))
	// Output:
	// <nil>
	// true
}

// The outbox pattern: the order is stored if and only if its job is enqueued.
func ExampleQueue_EnqueueOp() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	q := queue.New[Order](session.Client(), "orders")
	_, op, err := q.EnqueueOp(Order{"anna", 12})
	if err != nil {
		log.Fatal(err)
	}
	res, err := session.Client().Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{etcd.Missing(etcd.Key("order/17"))},
		Then: []etcd.Op{etcd.Put("order/17", []byte("anna")), op},
	})
	if err != nil {
		log.Fatal(err)
	}
	st, err := q.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Succeeded, st.Ready)
	// Output: true 1
}

// A job's result is written in the commit that ends it: once, however often the
// job was delivered.
func ExampleDelivery_AckWith() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	q := queue.New[Order](session.Client(), "orders")
	if _, err := q.Enqueue(ctx, Order{"anna", 12}); err != nil {
		log.Fatal(err)
	}
	c, err := q.Consumer(session)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	ds, err := c.Receive(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	res, err := ds[0].AckWith(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("invoice/anna", []byte("12"))}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Succeeded)
	// Output: true
}

func ExampleQueue_Redrive() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	q := queue.New[Order](session.Client(), "orders")
	if _, err := q.Enqueue(ctx, Order{"anna", 12}); err != nil {
		log.Fatal(err)
	}
	c, err := q.Consumer(session)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(ctx)
	ds, err := c.Receive(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := ds[0].Dead(ctx, "no such customer"); err != nil {
		log.Fatal(err)
	}
	for job, err := range q.List(ctx, queue.Dead) {
		if err != nil {
			log.Fatal(err)
		}
		order, err := q.Decode(job)
		fmt.Println(order.Customer, job.Reason, err)
	}
	n, err := q.Redrive(ctx)
	fmt.Println(n, err)
	// Output:
	// anna no such customer <nil>
	// 1 <nil>
}

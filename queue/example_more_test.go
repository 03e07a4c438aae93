package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// A worker that ends when the queue is empty. What fails is tried again, but for
// what never can succeed.
func ExampleWorker() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	q := queue.New[Order](session.Client(), "orders")
	if _, err := q.EnqueueMany(ctx, []Order{{"anna", 12}, {"ben", -7}}); err != nil {
		log.Fatal(err)
	}
	deliver := func(ctx context.Context, d *queue.Delivery[Order]) error {
		switch {
		case d.Value.Amount < 0:
			return queue.Permanent(errors.New("nothing to deliver"))
		case d.Attempt == 1:
			return errors.New("nobody at home")
		}
		return nil
	}
	logged := func(ctx context.Context, j queue.Job, next func(context.Context) error) error {
		err := next(ctx)
		fmt.Println("attempt", j.Attempt, "error:", err)
		return err
	}
	err := queue.NewWorker(session, q, deliver, queue.WorkerConfig{
		Concurrency: 1,
		RetryMin:    time.Millisecond,
		MaxAttempts: 3,
		Middleware:  []queue.Middleware{logged},
		Drain:       true,
	}).Run(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for job, err := range q.List(ctx, queue.Dead) {
		fmt.Println("dead:", job.Reason, err)
	}
	// Output:
	// attempt 1 error: nobody at home
	// attempt 1 error: nothing to deliver
	// attempt 2 error: <nil>
	// dead: nothing to deliver <nil>
}

// What a delivery writes elsewhere than with its acknowledgement is written only as
// long as its claim holds.
func ExampleDelivery_Guard() {
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
	progress := func() {
		res, err := session.Client().Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{ds[0].Guard()},
			Then: []etcd.Op{etcd.Put("progress/anna", []byte("packed"))},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Succeeded)
	}
	progress()
	if err := ds[0].Nack(ctx, time.Minute, queue.Because(errors.New("out of paper"))); err != nil {
		log.Fatal(err)
	}
	progress()
	// Output:
	// true
	// false
}

// What an operator does.
func ExampleQueue_Stats() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	q := queue.New[Order](session.Client(), "orders")
	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	ids, err := q.EnqueueMany(ctx, []Order{{"anna", 12}, {"ben", 7}, {"cara", 1}})
	must(err)
	must(q.Pause(ctx, "the printer is broken"))
	must(q.Cancel(ctx, ids[1]))
	st, err := q.Stats(ctx)
	must(err)
	fmt.Println(st.Ready, st.Claimed, st.Delayed, st.Dead, st.PauseReason)
	job, err := q.Get(ctx, ids[2])
	must(err)
	fmt.Println(job.State, string(job.Payload))
	must(q.Resume(ctx))
	n, err := q.Purge(ctx, queue.Ready, queue.ByID(ids[2]))
	must(err)
	names, err := queue.Names(ctx, session.Client())
	must(err)
	fmt.Println(n, names)
	// Output:
	// 2 0 0 0 the printer is broken
	// ready {"Customer":"cara","Amount":1}
	// 1 [orders]
}

package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

func ExampleTryAcquireAll() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	ada, grace := lock.New(session, "account/ada"), lock.New(session, "account/grace")
	h, err := grace.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = lock.TryAcquireAll(ctx, ada, grace)
	fmt.Println("one of them is held:", errors.Is(err, lock.ErrHeld))
	_, err = ada.Holder(ctx)
	fmt.Println("and the other was not taken:", errors.Is(err, lock.ErrNotHeld))
	_ = h.Release(ctx)
	// Output:
	// one of them is held: true
	// and the other was not taken: true
}

func ExampleRWMutex_DoRead() {
	session, end := exampleSession()
	defer end()
	catalog := lock.NewRW(session, "catalog")
	err := catalog.DoRead(context.Background(), func(ctx context.Context, _ *lock.Handle) error {
		return catalog.DoRead(ctx, func(context.Context, *lock.Handle) error { // as anybody else may
			fmt.Println("two read")
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// two read
	// <nil>
}

func ExampleSemaphore_Resize() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	three := lock.NewSemaphore(session, "licences", 3)
	h, err := three.Acquire(ctx, 3)
	if err != nil {
		log.Fatal(err)
	}
	five, err := three.Resize(ctx, 5)
	if err != nil {
		log.Fatal(err)
	}
	more, err := five.TryAcquire(ctx, 2)
	fmt.Println("two more:", err == nil)
	_, err = three.TryAcquire(ctx, 1)
	fmt.Println("there are not 3 any more:", errors.Is(err, lock.ErrMismatch))
	_, _ = h.Release(ctx), more.Release(ctx)
	// Output:
	// two more: true
	// there are not 3 any more: true
}

func ExampleForget() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	h, err := lock.NewSemaphore(session, "licences", 3).Acquire(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	err = lock.Forget(ctx, session.Client(), "licences")
	fmt.Println("in use:", errors.Is(err, lock.ErrHeld))
	_ = h.Release(ctx)
	fmt.Println(lock.Forget(ctx, session.Client(), "licences"))
	h, err = lock.New(session, "licences").Acquire(ctx) // the name is free for anything
	fmt.Println(h.Err(), err)
	// Output:
	// in use: true
	// <nil>
	// <nil> <nil>
}

// A Mutex under a raw prefix excludes those of etcd's own Go client, and stands in
// one line with them.
func ExampleWithPrefix() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	// What concurrency.NewMutex(session, "locks/deploy").Lock does:
	lease, err := session.Client().Grant(ctx, session.TTL())
	if err != nil {
		log.Fatal(err)
	}
	native := "locks/deploy/" + lease.ID.String()
	if _, err := session.Client().Put(ctx, native, nil, etcd.WithLease(lease.ID)); err != nil {
		log.Fatal(err)
	}

	m := lock.New(session, "deploy", lock.WithPrefix("locks/deploy"))
	_, err = m.TryAcquire(ctx)
	fmt.Println("held by the other:", errors.Is(err, lock.ErrHeld))
	if _, err := session.Client().Delete(ctx, etcd.Key(native)); err != nil { // its Unlock
		log.Fatal(err)
	}
	h, err := m.TryAcquire(ctx)
	fmt.Println("held:", err == nil && h.Err() == nil)
	// Output:
	// held by the other: true
	// held: true
}

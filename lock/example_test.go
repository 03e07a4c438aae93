package lock_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// exampleSession gives a session, and what ends it. In a program it is made
// with the client of a real etcd.
func exampleSession() (*etcd.Session, func()) {
	srv := etcdtest.New()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	session, err := etcd.NewSession(context.Background(), client, etcd.WithTTL(10*time.Second))
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

	m := lock.New(session, "deploy")
	h, err := m.Acquire(ctx) // waits its turn; ctx's deadline is the timeout
	if err != nil {
		log.Fatal(err)
	}
	// Work under h.Context(): it ends when the lock is lost.
	fmt.Println("held:", h.Err() == nil, h.Context().Err() == nil)
	if err := h.Release(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Err())
	// Output:
	// held: true true
	// released
}

func ExampleMutex_Do() {
	session, end := exampleSession()
	defer end()
	err := lock.New(session, "deploy").Do(context.Background(), func(ctx context.Context, h *lock.Handle) error {
		// ctx ends with the caller's and when the lock is lost.
		fmt.Println("working:", ctx.Err() == nil)
		return nil
	})
	fmt.Println(err)
	// Output:
	// working: true
	// <nil>
}

func ExampleMutex_Acquire_timeout() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	build := lock.WithMetadata(map[string]string{"build": "17"})
	h, err := lock.New(session, "deploy", build).Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Release(ctx)

	waiting, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = lock.New(session, "deploy").Acquire(waiting)
	var e *lock.Error
	if errors.As(err, &e) && errors.Is(err, context.DeadlineExceeded) {
		fmt.Println("timed out, it is held by build", e.By[0].Metadata["build"])
	}
	// Output: timed out, it is held by build 17
}

func ExampleMutex_TryAcquire() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	m := lock.New(session, "deploy")
	h, err := m.TryAcquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = m.TryAcquire(ctx) // two goroutines of one session exclude each other, too
	fmt.Println(errors.Is(err, lock.ErrHeld))
	_ = h.Release(ctx)
	// Output: true
}

func ExampleHandle_Guard() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	h, err := lock.New(session, "deploy").Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	write := func() {
		r, err := session.Client().Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{h.Guard()},
			Then: []etcd.Op{etcd.Put("deployed", []byte("v1"))},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("written:", r.Succeeded)
	}
	write()
	_ = h.Release(ctx)
	write()
	// Output:
	// written: true
	// written: false
}

func ExampleMutex_Holder() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	m := lock.New(session, "deploy", lock.WithMetadata(map[string]string{"ticket": "OPS-17"}))
	if _, err := m.Holder(ctx); errors.Is(err, lock.ErrNotHeld) {
		fmt.Println("nobody")
	}
	h, err := m.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	holder, err := m.Holder(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(holder.Token == h.Token(), holder.Metadata["ticket"])
	_ = h.Release(ctx)
	// Output:
	// nobody
	// true OPS-17
}

func ExampleRWMutex() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	catalog := lock.NewRW(session, "catalog")
	w, err := catalog.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = catalog.TryAcquireRead(ctx)
	fmt.Println("readers wait:", errors.Is(err, lock.ErrHeld))
	r, err := w.Downgrade(ctx) // without letting go
	if err != nil {
		log.Fatal(err)
	}
	other, err := catalog.TryAcquireRead(ctx)
	fmt.Println("readers share:", err == nil)
	_, _ = r.Release(ctx), other.Release(ctx)
	// Output:
	// readers wait: true
	// readers share: true
}

func ExampleSemaphore() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	licences := lock.NewSemaphore(session, "licences", 3)
	h, err := licences.Acquire(ctx, 2)
	if err != nil {
		log.Fatal(err)
	}
	_, err = licences.TryAcquire(ctx, 2)
	fmt.Println("only one is left:", errors.Is(err, lock.ErrHeld))
	_, err = lock.NewSemaphore(session, "licences", 5).Acquire(ctx, 1)
	fmt.Println("there are not 5:", errors.Is(err, lock.ErrMismatch))
	_ = h.Release(ctx)
	// Output:
	// only one is left: true
	// there are not 5: true
}

func ExampleAcquireAll() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	h, err := lock.AcquireAll(ctx,
		lock.New(session, "account-17"),
		lock.NewRW(session, "catalog").Reader(),
		lock.NewSemaphore(session, "licences", 3).Weight(2),
	)
	if err != nil {
		log.Fatal(err)
	}
	// One handle, one token, one guard for all three.
	fmt.Println("held:", h.Err() == nil)
	fmt.Println("released:", h.Release(ctx) == nil)
	// Output:
	// held: true
	// released: true
}

func ExampleBreak() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	h, err := lock.New(session, "deploy").Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// An operator, who needs no session:
	state, err := lock.Look(ctx, session.Client(), "deploy")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := lock.Break(ctx, session.Client(), "deploy", state.Holders[0].Token, "build 17 hangs"); err != nil {
		log.Fatal(err)
	}
	// The loser:
	<-h.Context().Done()
	var broken *lock.BrokenError
	fmt.Println(errors.As(h.Err(), &broken), broken.Reason)
	// Output: true build 17 hangs
}

func ExampleAll() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	for _, name := range []string{"deploy", "a/b"} {
		if _, err := lock.New(session, name).Acquire(ctx); err != nil {
			log.Fatal(err)
		}
	}
	for state, err := range lock.All(ctx, session.Client()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(state.Name, len(state.Holders), len(state.Waiters))
	}
	// Output:
	// a/b 1 0
	// deploy 1 0
}

func ExampleWithQuarantine() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	m := lock.New(session, "robot-arm", lock.WithQuarantine(time.Minute))
	h, err := m.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Break(ctx, h.Token(), "it does not answer"); err != nil {
		log.Fatal(err)
	}
	// What it set in motion may still move: nobody gets the lock for a minute.
	_, err = m.TryAcquire(ctx)
	fmt.Println(errors.Is(err, lock.ErrQuarantine))
	// Output: true
}

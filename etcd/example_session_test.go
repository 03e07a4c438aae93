package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func ExampleNewSession() {
	srv := etcdtest.New() // in a program: an etcd
	defer srv.Close()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	session, err := etcd.NewSession(ctx, client, etcd.WithTTL(5*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	// This instance is there as long as its session is.
	if _, err = client.Put(ctx, "instances/7", []byte("10.0.0.7:80"), etcd.WithLease(session.Lease())); err != nil {
		log.Fatal(err)
	}
	work, stop := session.Bind(ctx)
	defer stop()
	fmt.Println("working:", work.Err() == nil)

	// Closing the session ends the work's context and takes the key away.
	if err := session.Close(ctx); err != nil {
		log.Fatal(err)
	}
	<-work.Done()
	fmt.Println("closed:", errors.Is(context.Cause(work), etcd.ErrSessionClosed))
	fmt.Println("keys:", srv.Keys(""))
	// Output:
	// working: true
	// closed: true
	// keys: []
}

func ExampleClient_Grant() {
	srv := etcdtest.New() // in a program: an etcd
	defer srv.Close()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	// A key that is gone in a minute unless somebody renews its lease.
	lease, err := client.Grant(ctx, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Put(ctx, "cache/1", []byte("v"), etcd.WithLease(lease.ID)); err != nil {
		log.Fatal(err)
	}
	info, err := client.TimeToLive(ctx, lease.ID, etcd.WithKeys())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Granted, info.Keys)

	if err := client.Revoke(ctx, lease.ID); err != nil {
		log.Fatal(err)
	}
	_, err = client.KeepAlive(ctx, lease.ID)
	fmt.Println(errors.Is(err, etcd.ErrLeaseNotFound))
	// Output:
	// 1m0s [cache/1]
	// true
}

func ExampleClient_Snapshot() {
	srv := etcdtest.New() // in a program: an etcd
	defer srv.Close()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var file bytes.Buffer // in a program: an *os.File
	snapshot, err := client.Snapshot(context.Background(), &file)
	if err != nil {
		log.Fatal(err) // short or corrupt: what was written is no snapshot
	}
	fmt.Println("complete:", snapshot.Bytes == int64(file.Len()))
	fmt.Println("storage version:", snapshot.Version)
	// Output:
	// complete: true
	// storage version: 3.7.0
}

// The end of a session has a cause, which tells how it came to that.
func ExampleSessionError() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	session, err := etcd.NewSession(context.Background(), client, etcd.WithTTL(2*time.Second))
	check(err)

	srv.RevokeLease(int64(session.Lease())) // an operator does that by hand
	<-session.Done()                        // the next renewal tells
	var end *etcd.SessionError
	fmt.Println(errors.As(context.Cause(session.Context()), &end))
	fmt.Println(errors.Is(end, etcd.ErrSessionRevoked), end.TTL)
	// Output:
	// true
	// true 2s
}

// Who gives up waiting for a write leaves it to the session: a member that was
// paused may carry it out long after.
func ExampleSession_Abandon() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	session, err := etcd.NewSession(ctx, client)
	check(err)
	defer session.Close(ctx)

	release := make(chan struct{})
	late := srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Late: release, Times: 1})
	wait, cancel := context.WithCancel(ctx)
	go func() {
		check(late.Await(ctx, 1))
		cancel()
	}()
	_, err = client.Put(wait, "line/5f0c", []byte("me"), etcd.WithLease(session.Lease()))
	if errors.Is(err, etcd.ErrUnknownOutcome) {
		session.Abandon("line/5f0c", []byte("me"))
	}
	w, err := client.Watch(ctx, etcd.Key("line/5f0c"))
	check(err)
	close(release) // the member goes on, and carries it out

	n := 0
	for ev, err := range w.All(ctx) {
		check(err)
		fmt.Println(ev.Type, ev.KV.Key)
		if n++; n == 2 {
			break
		}
	}
	// Output:
	// put line/5f0c
	// delete line/5f0c
}

func ExampleClient_KeepAlive() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	lease, err := client.Grant(ctx, 90*time.Second, etcd.WithLeaseID(7))
	check(err)
	_, err = client.Grant(ctx, time.Minute, etcd.WithLeaseID(7))
	fmt.Println("taken:", errors.Is(err, etcd.ErrLeaseExists))

	renewed, err := client.KeepAlive(ctx, lease.ID)
	check(err)
	fmt.Println("later:", renewed.Deadline().After(lease.Deadline()))
	ids, err := client.Leases(ctx)
	check(err)
	fmt.Println(ids)
	// Output:
	// taken: true
	// later: true
	// [7]
}

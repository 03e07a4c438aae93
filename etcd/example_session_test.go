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

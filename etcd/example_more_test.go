package etcd_test

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// Counting costs no transfer of keys or values, whatever their number.
func ExampleCountOnly() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	for _, k := range []string{"job/1", "job/2", "job/3"} {
		_, err := client.Put(ctx, k, nil)
		check(err)
	}
	r, err := client.Get(ctx, etcd.Prefix("job/"), etcd.CountOnly())
	check(err)
	fmt.Println(r.Count, len(r.KVs))
	// Output: 3 0
}

// What was put or changed since one last looked.
func ExampleWithModRevisions() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	_, err := client.Put(ctx, "job/1", nil)
	check(err)
	seen, err := client.Get(ctx, etcd.Prefix("job/"))
	check(err)
	_, err = client.Put(ctx, "job/2", nil)
	check(err)
	r, err := client.Get(ctx, etcd.Prefix("job/"), etcd.WithModRevisions(seen.Header.Revision+1, 0))
	check(err)
	for _, kv := range r.KVs {
		fmt.Println(kv.Key)
	}
	// Output: job/2
}

// A member that has lost the others still tells what it knows, if that is enough.
func ExampleSerializable() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv, func(cfg *etcd.Config) {
		cfg.Endpoints = cfg.Endpoints[:1]
		cfg.AttemptTimeout, cfg.RetryTimeout = 2*time.Second, -1 // one round
	})
	defer client.Close()
	ctx := context.Background()
	_, err := client.Put(ctx, "rate", []byte("7"))
	check(err)
	srv.Partition(0)
	_, err = client.Get(ctx, etcd.Key("rate"))
	fmt.Println("up to date:", err == nil)
	r, err := client.Get(ctx, etcd.Key("rate"), etcd.Serializable())
	check(err)
	kv, _ := r.First()
	fmt.Printf("as last known here: %s\n", kv.Value)
	// Output:
	// up to date: false
	// as last known here: 7
}

// A lease that a program left behind, taken over by the one that follows it.
func ExampleWithExistingLease() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	lease, err := client.Grant(ctx, 10*time.Second)
	check(err)
	_, err = client.Put(ctx, "worker/7", nil, etcd.WithLease(lease.ID))
	check(err)

	s, err := etcd.NewSession(ctx, client, etcd.WithExistingLease(lease.ID))
	check(err)
	fmt.Println(s.Lease() == lease.ID, s.Err())
	check(s.Close(ctx)) // which revokes it
	_, there := srv.Get("worker/7")
	fmt.Println(there)
	// Output:
	// true <nil>
	// false
}

// A watch that the server tells of deletions alone.
func ExampleDeletesOnly() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	w, err := client.Watch(ctx, etcd.Prefix("worker/"), etcd.DeletesOnly(), etcd.WithPrev())
	check(err)
	defer w.Close()
	_, err = client.Put(ctx, "worker/7", []byte("web-3"))
	check(err)
	_, err = client.Delete(ctx, etcd.Key("worker/7"))
	check(err)
	events, err := w.Next(ctx)
	check(err)
	for _, ev := range events.Events {
		fmt.Printf("%v %s of %s\n", ev.Type, ev.KV.Key, ev.Prev.Value)
	}
	// Output: delete worker/7 of web-3
}

package etcd_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// What an operation is about is a KeySet.
func ExampleKeySet() {
	for _, s := range []etcd.KeySet{etcd.Key("a"), etcd.Range("a", "c"), etcd.Prefix("a/"), etcd.From("b"), etcd.All()} {
		fmt.Printf("%-12s has a/1: %v\n", s, s.Contains("a/1"))
	}
	fmt.Println(etcd.Prefix("a/").Overlaps(etcd.From("b")))
	// Output:
	// "a"          has a/1: false
	// ["a", "c")   has a/1: true
	// "a/"*        has a/1: true
	// ["b", ...)   has a/1: false
	// all keys     has a/1: true
	// false
}

func ExampleClient_Put() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()

	_, err := client.Put(ctx, "rate", []byte("7"))
	check(err)
	r, err := client.Put(ctx, "rate", []byte("19"), etcd.WithPrev())
	check(err)
	fmt.Printf("was %s\n", r.Prev.Value)

	// Keep the value, and bind the key to a lease.
	lease, err := client.Grant(ctx, etcd.DefaultSessionTTL)
	check(err)
	_, err = client.Put(ctx, "rate", nil, etcd.IgnoreValue(), etcd.WithLease(lease.ID))
	check(err)
	kv, _ := srv.Get("rate")
	fmt.Printf("is %s, leased: %v\n", kv.Value, kv.Lease == int64(lease.ID))

	_, err = client.Put(ctx, "missing", nil, etcd.IgnoreValue())
	fmt.Println(errors.Is(err, etcd.ErrKeyNotFound))
	// Output:
	// was 7
	// is 19, leased: true
	// true
}

func ExampleClient_Get() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	for _, k := range []string{"job/2", "job/1", "job/3"} {
		_, err := client.Put(ctx, k, []byte("todo"))
		check(err)
	}

	r, err := client.Get(ctx, etcd.Prefix("job/"), etcd.WithLimit(2), etcd.KeysOnly())
	check(err)
	fmt.Println(r.KVs[0].Key, r.KVs[1].Key, "more:", r.More, "of", r.Count)

	newest, err := client.Get(ctx, etcd.Prefix("job/"), etcd.WithSort(etcd.ByCreateRevision, etcd.Descending), etcd.WithLimit(1))
	check(err)
	fmt.Println("newest:", newest.KVs[0].Key)

	// The past, as long as it is not compacted.
	_, err = client.Put(ctx, "job/1", []byte("done"))
	check(err)
	then, err := client.Get(ctx, etcd.Key("job/1"), etcd.WithRevision(r.Header.Revision))
	check(err)
	fmt.Printf("it was %s\n", then.KVs[0].Value)
	// Output:
	// job/1 job/2 more: true of 3
	// newest: job/3
	// it was todo
}

func ExampleClient_Delete() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	srv.Put("job/1", []byte("done"))
	srv.Put("job/2", []byte("todo"))

	r, err := client.Delete(ctx, etcd.Prefix("job/"), etcd.WithPrev())
	check(err)
	for _, kv := range r.Prev {
		fmt.Printf("%s was %s\n", kv.Key, kv.Value)
	}
	r, err = client.Delete(ctx, etcd.Key("job/1")) // deleting nothing is no error
	fmt.Println(r.Deleted, err)
	// Output:
	// job/1 was done
	// job/2 was todo
	// 0 <nil>
}

// A listing reads page by page, all as of one revision.
func ExampleClient_List() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	for i := range 1200 {
		srv.Put(fmt.Sprintf("user/%04d", i), nil)
	}

	n := 0
	for kv, err := range client.List(context.Background(), etcd.Prefix("user/"), etcd.ListKeysOnly()) {
		check(err) // it comes once and ends the loop
		if n++; n == 1 {
			srv.Put("user/zzz", nil) // what changes meanwhile does not show
			fmt.Println("first:", kv.Key)
		}
	}
	fmt.Println(n, "users")
	// Output:
	// first: user/0000
	// 1200 users
}

func ExampleClient_Compact() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	old := srv.Put("a", []byte("1"))
	now := srv.Put("a", []byte("2"))

	check(client.Compact(ctx, now, false))
	_, err := client.Get(ctx, etcd.Key("a"), etcd.WithRevision(old))
	fmt.Println(errors.Is(err, etcd.ErrCompacted))
	fmt.Println(err)
	// Output:
	// true
	// etcd: get "a" at http://member1.etcdtest:2379: etcdserver: mvcc: required revision has been compacted
}

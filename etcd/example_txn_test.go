package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A seat is taken by whoever comes first; who comes later learns by whom.
func ExampleClient_Txn() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()

	take := func(who string) {
		seat := etcd.Key("seat/17")
		r, err := client.Txn(context.Background(), etcd.Txn{
			If:   []etcd.Cmp{etcd.Missing(seat)},
			Then: []etcd.Op{etcd.Put("seat/17", []byte(who))},
			Else: []etcd.Op{etcd.Get(seat)},
		})
		check(err)
		if r.Succeeded {
			fmt.Println(who, "has it")
			return
		}
		owner, _ := r.Results[0].Get.First()
		fmt.Printf("%s does not: it is %s's\n", who, owner.Value)
	}
	take("Ada")
	take("Bob")
	// Output:
	// Ada has it
	// Bob does not: it is Ada's
}

// A change that rests on what was read: it is made only if nobody was faster.
func ExampleIfModRevision() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	srv.Put("balance", []byte("10"))

	for attempt := 1; ; attempt++ {
		r, err := client.Get(ctx, etcd.Key("balance"))
		check(err)
		kv, _ := r.First()
		if attempt == 1 {
			srv.Put("balance", []byte("20")) // somebody is faster
		}
		t, err := client.Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(etcd.Key("balance"), etcd.Equal, kv.ModRevision)},
			Then: []etcd.Op{etcd.Put("balance", append(kv.Value, '0'))},
		})
		check(err)
		fmt.Println("attempt", attempt, t.Succeeded)
		if t.Succeeded {
			break
		}
	}
	kv, _ := srv.Get("balance")
	fmt.Printf("%s\n", kv.Value)
	// Output:
	// attempt 1 false
	// attempt 2 true
	// 200
}

// Recipes hand out conditions over several keys as one. They go into the
// caller's own transaction, beside its own.
func ExampleAllOf() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	srv.Put("door", []byte("open"))
	srv.Put("light", []byte("on"))

	guard := etcd.AllOf(
		etcd.IfValue(etcd.Key("door"), etcd.Equal, []byte("open")),
		etcd.IfValue(etcd.Key("light"), etcd.Equal, []byte("on")),
	)
	for range 2 {
		r, err := client.Txn(context.Background(), etcd.Txn{
			If:   []etcd.Cmp{guard, etcd.Missing(etcd.Key("alarm"))},
			Then: []etcd.Op{etcd.Put("visitors", []byte("1")), etcd.Put("light", []byte("off"))},
		})
		check(err)
		fmt.Println(r.Succeeded)
	}
	// Output:
	// true
	// false
}

// Nested transactions decide for themselves and are committed together.
func ExampleNest() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	srv.Put("b", nil)

	reserve := func(k string) etcd.Op {
		return etcd.Nest(etcd.Txn{If: []etcd.Cmp{etcd.Missing(etcd.Key(k))}, Then: []etcd.Op{etcd.Put(k, []byte("mine"))}})
	}
	r, err := client.Txn(context.Background(), etcd.Txn{Then: []etcd.Op{reserve("a"), reserve("b"), reserve("c")}})
	check(err)
	for i, k := range []string{"a", "b", "c"} {
		fmt.Println(k, r.Results[i].Txn.Succeeded)
	}
	// Output:
	// a true
	// b false
	// c true
}

// Calls made while others are under way share requests and commits without seeing
// it. Alone keeps one apart, and with it its revision.
func ExampleAlone() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()

	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			_, err := client.Put(context.Background(), fmt.Sprint("k", i), nil)
			check(err)
		})
	}
	r, err := client.Put(context.Background(), "mine", nil, etcd.Alone())
	check(err)
	wg.Wait()
	n := 0
	for _, ev := range srv.Events() {
		if ev.Revision == r.Header.Revision {
			n++
		}
	}
	fmt.Println("changes in my commit:", n)
	// Output: changes in my commit: 1
}

// A decision that rests on keys which the transaction does not mention: no call
// that writes one of them shares its commit.
func ExampleFootprint() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	_, err := client.Txn(context.Background(), etcd.Txn{
		If:   []etcd.Cmp{etcd.Missing(etcd.Key("line/mine"))},
		Then: []etcd.Op{etcd.Put("line/mine", nil)},
	}, etcd.Footprint(etcd.Prefix("line/")))
	fmt.Println(err, srv.Keys(""))
	// Output: <nil> [line/mine]
}

// The three outcomes of a write: applied, not applied, unknown. An unknown one
// is resolved by the same conditional write, made again: it holds a value that
// is this call's alone, so whoever finds it knows.
func ExampleSafeToRetry() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", LoseReply: true, Times: 1}) // it is committed, but nobody says so

	key := etcd.Key("order/17")
	mine := []byte("paid, attempt 5f0c")
	pay := etcd.Txn{
		If:   []etcd.Cmp{etcd.Missing(key)},
		Then: []etcd.Op{etcd.Put("order/17", mine)},
		Else: []etcd.Op{etcd.Get(key)},
	}
	for {
		r, err := client.Txn(context.Background(), pay)
		if errors.Is(err, etcd.ErrUnknownOutcome) {
			fmt.Println("unknown, safe to retry:", etcd.SafeToRetry(err))
			continue
		}
		check(err)
		kv, _ := srv.Get("order/17")
		fmt.Println("applied now:", r.Succeeded, "mine:", string(kv.Value) == string(mine), "changes:", kv.Version)
		return
	}
	// Output:
	// unknown, safe to retry: false
	// applied now: false mine: true changes: 1
}

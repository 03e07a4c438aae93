package etcd_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// Create the watch first and read the state then: whatever happens in between
// is delivered.
func ExampleClient_Watch() {
	srv := etcdtest.New() // stands in for an etcd
	defer srv.Close()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	ctx := context.Background()

	w, err := client.Watch(ctx, etcd.Prefix("hosts/"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	state, err := client.Get(ctx, etcd.Prefix("hosts/"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("at first:", len(state.KVs), "hosts")

	srv.Put("hosts/a", []byte("10.0.0.1"))
	srv.Put("hosts/a", []byte("10.0.0.2"))
	srv.Delete("hosts/a")
	for ev, err := range w.All(ctx) {
		if errors.Is(err, etcd.ErrCompacted) {
			fmt.Println("too slow: read the state again")
			break
		} else if err != nil {
			fmt.Println(err)
			break
		}
		if ev.Revision() <= state.Header.Revision {
			continue // seen in the state already
		}
		fmt.Printf("%s %s=%s new=%v\n", ev.Type, ev.KV.Key, ev.KV.Value, ev.IsCreate())
		if ev.Type == etcd.EventDelete {
			break
		}
	}

	// Output:
	// at first: 0 hosts
	// put hosts/a=10.0.0.1 new=true
	// put hosts/a=10.0.0.2 new=false
	// delete hosts/a= new=false
}

// From a past revision on, as long as it is not compacted: whoever has saved how
// far it came goes on there.
func ExampleFromRevision() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	first := srv.Put("log", []byte("1"))
	srv.Put("log", []byte("2"))

	w, err := client.Watch(ctx, etcd.Key("log"), etcd.FromRevision(first+1), etcd.PutsOnly(), etcd.WithPrev())
	check(err)
	defer w.Close()
	events, err := w.Next(ctx)
	check(err)
	for _, ev := range events.Events {
		fmt.Printf("%s after %s\n", ev.KV.Value, ev.Prev.Value)
	}
	saved := events.Revision
	fmt.Println("go on from", saved+1)

	check(srv.Compact(srv.Put("log", []byte("3"))))
	late, err := client.Watch(ctx, etcd.Key("log"), etcd.FromRevision(first))
	check(err)
	_, err = late.Next(ctx)
	var compacted *etcd.CompactedError
	fmt.Println(errors.As(err, &compacted), "oldest left:", compacted.Revision)
	// Output:
	// 2 after 1
	// go on from 4
	// true oldest left: 4
}

// Progress says how far a watch has come although nothing has happened to its
// keys: what is saved as a position then does not fall behind compactions.
func ExampleWithProgress() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()

	w, err := client.Watch(ctx, etcd.Key("quiet"), etcd.WithProgress())
	check(err)
	defer w.Close()
	rev := srv.Put("busy", nil)
	for {
		events, err := w.Next(ctx)
		check(err)
		if events.Revision >= rev {
			fmt.Println(len(events.Events), "events up to revision", events.Revision)
			return
		}
	}
	// Output: 0 events up to revision 2
}

// A watch that delivers much gets a connection of its own, so that the others
// need not wait behind it.
func ExampleBulky() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()

	one, err := client.Watch(ctx, etcd.Key("a"))
	check(err)
	defer one.Close()
	two, err := client.Watch(ctx, etcd.Key("b"))
	check(err)
	defer two.Close()
	fmt.Println("connections:", srv.WatchStreams())
	bulk, err := client.Watch(ctx, etcd.Prefix("metrics/"), etcd.Bulky())
	check(err)
	defer bulk.Close()
	fmt.Println("connections:", srv.WatchStreams())
	// Output:
	// connections: 1
	// connections: 2
}

// Lost connections do not show: each event comes once and in order.
func ExampleWatcher_Next() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()

	w, err := client.Watch(ctx, etcd.Key("a"))
	check(err)
	for i := range 3 {
		srv.Put("a", fmt.Append(nil, i))
		srv.DropWatches()
	}
	for got := 0; got < 3; {
		events, err := w.Next(ctx)
		check(err)
		for _, ev := range events.Events {
			fmt.Printf("%s ", ev.KV.Value)
			got++
		}
	}
	w.Close()
	_, err = w.Next(ctx)
	fmt.Println(errors.Is(err, etcd.ErrWatchClosed))
	// Output: 0 1 2 true
}

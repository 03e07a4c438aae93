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

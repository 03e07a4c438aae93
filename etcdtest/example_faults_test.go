package etcdtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// passes reports whether a test passes, and says nothing of it.
func passes(f func(*testing.T)) bool {
	verbose := flag.Lookup("test.v").Value
	before := verbose.String()
	defer func() { _ = verbose.Set(before) }()
	_ = verbose.Set("false")
	return testing.RunTests(func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "TestYours", F: f}})
}

// connect gives a client of srv. It dials inside the process, so it works in a
// synctest bubble, too.
func connect(srv *etcdtest.Server) *etcd.Client {
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial, RetryTimeout: -1})
	if err != nil {
		panic(err)
	}
	return client
}

// In a bubble of testing/synctest time costs nothing: an hour passes at once,
// and leases live and expire by the bubble's clock. In a test of yours this is
// the body of a func TestXxx(t *testing.T).
func ExampleStart_synctest() {
	testYours := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := etcdtest.Start(t)
			client := connect(srv)
			defer client.Close()
			session, err := etcd.NewSession(t.Context(), client, etcd.WithTTL(10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if session.Err() != nil {
				t.Error("the session was not kept alive")
			}
			srv.Pause(0)
			time.Sleep(10 * time.Second)
			if !errors.Is(session.Err(), etcd.ErrSessionExpired) {
				t.Error("the session outlived its lease")
			}
			srv.Resume(0)
			_ = session.Close(context.Background())
		})
	}
	fmt.Println(passes(testYours))
	// Output: true
}

// A write whose reply is lost was committed. What does the code under test make
// of it?
func ExampleServer_Inject() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()

	fault := srv.Inject(etcdtest.Fault{
		Match:     func(r *etcdtest.Request) bool { return r.Puts("order/17") },
		LoseReply: true,
		Times:     1,
	})
	_, err := client.Put(context.Background(), "order/17", nil)
	fmt.Println("hits:", fault.Hits(), "unknown:", errors.Is(err, etcd.ErrUnknownOutcome), "there:", srv.Keys("order/"))

	// Refusals, delays and strange replies are faults as well.
	srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Reply: etcdtest.TextReply(502, "text/html", "<html>"), Times: 1})
	_, err = client.Put(context.Background(), "order/18", nil)
	fmt.Println(errors.Is(err, etcd.ErrNotEtcd))
	// Output:
	// hits: 1 unknown: true there: [order/17]
	// true
}

// Whoever held the lease finds its keys gone, as after an expiry.
func ExampleServer_ExpireLease() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	lease, err := client.Grant(ctx, time.Hour)
	if err != nil {
		panic(err)
	}
	if _, err := client.Put(ctx, "worker/1", nil, etcd.WithLease(lease.ID)); err != nil {
		panic(err)
	}
	fmt.Println(srv.Leases()[0].Keys)
	srv.ExpireLease(int64(lease.ID))
	fmt.Println(srv.Keys(""), len(srv.Leases()))
	// Output:
	// [worker/1]
	// [] 0
}

// Streams break, and changes happen while nobody looks; a good consumer misses
// nothing.
func ExampleServer_DropWatches() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	w, err := client.Watch(context.Background(), etcd.Key("a"))
	if err != nil {
		panic(err)
	}
	srv.DropWatches()
	srv.Put("a", []byte("1"))
	events, err := w.Next(context.Background())
	fmt.Println(len(events.Events), err)

	// Compacted before it could be delivered, it is an error and no silence.
	srv.StallWatches()
	srv.Put("a", []byte("2"))
	if err := srv.Compact(srv.Put("a", []byte("3"))); err != nil {
		panic(err)
	}
	srv.DropWatches()
	srv.ResumeWatches()
	_, err = w.Next(context.Background())
	fmt.Println(errors.Is(err, etcd.ErrCompacted))
	// Output:
	// 1 <nil>
	// true
}

// Members are killed, paused, cut off; a cluster loses its leader, or its data.
func ExampleServer_Kill() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	put := func(what string) {
		_, err := client.Put(context.Background(), "a", nil)
		fmt.Println(what+":", err == nil, "unavailable:", errors.Is(err, etcd.ErrUnavailable))
	}
	put("well")
	srv.Kill(srv.Leader())
	put("leader killed")
	srv.LoseQuorum()
	put("quorum lost")
	srv.RegainQuorum()
	put("quorum regained")
	srv.Wipe()
	fmt.Println(srv.Revision(), srv.Keys(""))
	// Output:
	// well: true unavailable: false
	// leader killed: true unavailable: false
	// quorum lost: false unavailable: true
	// quorum regained: true unavailable: false
	// 1 []
}

// Other versions answer as they do, each with its own words and shapes.
func ExampleWithVersion() {
	for _, version := range []string{"3.5.35", "3.6.14", "3.7.3"} {
		srv := etcdtest.New(etcdtest.WithVersion(version))
		client := connect(srv)
		status, err := client.Status(context.Background(), client.Endpoints()[0])
		if err != nil {
			panic(err)
		}
		fmt.Printf("etcd %s, storage %q\n", status.Version, status.StorageVersion)
		client.Close()
		srv.Close()
	}
	// Output:
	// etcd 3.5.35, storage ""
	// etcd 3.6.14, storage "3.6.0"
	// etcd 3.7.3, storage "3.7.0"
}

// With authentication on there is a user root; others are made over the API.
func ExampleWithAuth() {
	srv := etcdtest.New(etcdtest.WithAuth("secret"))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	_, err := client.Put(context.Background(), "a", nil)
	fmt.Println(errors.Is(err, etcd.ErrUnauthenticated))

	root, err := etcd.New(etcd.Config{
		Endpoints: srv.URLs(), Dial: srv.Dial,
		Username: "root", Password: "secret", AllowInsecureAuth: true,
	})
	if err != nil {
		panic(err)
	}
	defer root.Close()
	_, err = root.Put(context.Background(), "a", nil)
	fmt.Println(err)
	srv.ExpireTokens() // the client fetches another one
	_, err = root.Put(context.Background(), "a", nil)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
	// <nil>
}

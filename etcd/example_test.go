package etcd_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// connect gives a client of srv, which in a program is an etcd:
//
//	client, err := etcd.New(etcd.Config{Endpoints: []string{"http://10.0.0.1:2379"}})
func connect(srv *etcdtest.Server, change ...func(*etcd.Config)) *etcd.Client {
	cfg := etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial}
	for _, f := range change {
		f(&cfg)
	}
	client, err := etcd.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// check ends an example at an error that it does not expect.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A client is made once and closed at the end of the program.
func Example() {
	srv := etcdtest.New() // in a program: an etcd
	defer srv.Close()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := client.Put(ctx, "greeting", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	r, err := client.Get(ctx, etcd.Key("greeting"))
	if err != nil {
		log.Fatal(err)
	}
	if kv, ok := r.First(); ok {
		fmt.Printf("%s, version %d\n", kv.Value, kv.Version)
	}
	// Output: hello, version 1
}

// The environment says where etcd is, in the variables of etcdctl.
func ExampleConfigFromEnv() {
	check(os.Setenv("ETCDCTL_ENDPOINTS", "10.0.0.1:2379,10.0.0.2:2379"))
	check(os.Setenv("ETCDCTL_USER", "ann:secret"))
	defer os.Unsetenv("ETCDCTL_ENDPOINTS")
	defer os.Unsetenv("ETCDCTL_USER")

	cfg, err := etcd.ConfigFromEnv()
	check(err)
	fmt.Println(cfg) // a Config shows no password
	_, err = etcd.New(cfg)
	fmt.Println(err)
	// Output:
	// etcd.Config{endpoints=["10.0.0.1:2379" "10.0.0.2:2379"] user="ann"}
	// etcd: configuration: endpoint "http://10.0.0.1:2379": user name and password are not sent over plain http to a host that is not loopback: use https or set AllowInsecureAuth
}

// Two programs share a cluster without seeing each other's keys.
func ExampleConfig_namespace() {
	srv := etcdtest.New()
	defer srv.Close()
	ctx := context.Background()
	billing := connect(srv, func(cfg *etcd.Config) { cfg.Namespace = "billing/" })
	defer billing.Close()
	shop := connect(srv, func(cfg *etcd.Config) { cfg.Namespace = "shop/" })
	defer shop.Close()

	_, err := billing.Put(ctx, "rate", []byte("7"))
	check(err)
	_, err = shop.Put(ctx, "rate", []byte("19"))
	check(err)
	r, err := billing.Get(ctx, etcd.All())
	check(err)
	for _, kv := range r.KVs {
		fmt.Printf("billing sees %s=%s\n", kv.Key, kv.Value)
	}
	_, err = billing.Delete(ctx, etcd.All())
	check(err)
	fmt.Println("left:", srv.Keys(""))
	// Output:
	// billing sees rate=7
	// left: [shop/rate]
}

// Certificates are named by their files, which are read again when they have
// changed.
func ExampleTLSConfig() {
	srv := etcdtest.New(etcdtest.WithTLS(nil))
	defer srv.Close()
	client, err := etcd.New(etcd.Config{
		Endpoints: srv.URLs(), Dial: srv.Dial,
		// In a program: etcd.TLSConfig{CAFile: "ca.pem", CertFile: "client.pem", KeyFile: "client.key"}
		TLS: etcd.TLSConfig{Base: srv.ClientTLS()},
	})
	check(err)
	defer client.Close()
	_, err = client.Put(context.Background(), "a", nil)
	fmt.Println(client.Endpoints()[0][:8], err)

	_, err = etcd.New(etcd.Config{TLS: etcd.TLSConfig{CertFile: "client.pem"}})
	fmt.Println(err)
	// Output:
	// https:// <nil>
	// etcd: configuration TLS: CertFile and KeyFile go together
}

// Hooks count and time what the client does; the logger tells of what goes
// wrong on the way.
func ExampleHooks() {
	srv := etcdtest.New()
	defer srv.Close()
	srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", LoseReply: true, Times: 1})
	client := connect(srv, func(cfg *etcd.Config) {
		cfg.Logger = slog.New(slog.DiscardHandler) // in a program: its own
		cfg.Hooks.Request = func(i etcd.RequestInfo) {
			fmt.Printf("%s, attempt %d, failed: %v\n", i.Op, i.Attempt, i.Err != nil)
		}
	})
	defer client.Close()
	_, err := client.Get(context.Background(), etcd.Key("a"))
	fmt.Println(err)
	// Output:
	// get, attempt 1, failed: true
	// get, attempt 2, failed: false
	// <nil>
}

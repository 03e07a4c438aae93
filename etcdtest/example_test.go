package etcdtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/quorate/quorate/etcdtest"
)

// A test that needs etcd makes a server and gives its client the server's
// dialer and endpoint. Nothing listens on a port.
func Example() {
	srv := etcdtest.New() // etcdtest.Start(t) closes it when the test ends
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: srv.Dial}}
	defer client.CloseIdleConnections()

	call := func(path, body string) (string, error) {
		resp, err := client.Post(srv.URL()+path, "application/json", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}

	// The keys and values of the gateway are base64: this puts a=1.
	if _, err := call("/v3/kv/put", `{"key":"YQ==","value":"MQ=="}`); err != nil {
		fmt.Println(err)
	}
	kv, _ := srv.Get("a")
	fmt.Printf("%s=%s at revision %d\n", kv.Key, kv.Value, kv.ModRevision)

	// The next put is committed, but its reply is lost.
	lost := srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", LoseReply: true, Times: 1})
	_, err := call("/v3/kv/put", `{"key":"YQ==","value":"Mg=="}`)
	kv, _ = srv.Get("a")
	fmt.Println("failed:", err != nil, "hits:", lost.Hits(), "value:", string(kv.Value))

	// Output:
	// a=1 at revision 2
	// failed: true hits: 1 value: 2
}

// A fault can hold a request until the test has done something else, here to
// let a write arrive after its client has given up.
func ExampleFault_late() {
	srv := etcdtest.New()
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: srv.Dial}}
	defer client.CloseIdleConnections()

	release := make(chan struct{})
	late := srv.Inject(etcdtest.Fault{
		Match: func(r *etcdtest.Request) bool { return r.Puts("lock") },
		Late:  release,
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := client.Post(srv.URL()+"/v3/kv/put", "application/json", strings.NewReader(`{"key":"bG9jaw=="}`))
		if err == nil {
			resp.Body.Close()
		}
	}()
	if err := late.Await(context.Background(), 1); err != nil {
		fmt.Println(err)
	}
	fmt.Println("before:", srv.Keys(""))
	close(release)
	<-done
	fmt.Println("after:", srv.Keys(""))

	// Output:
	// before: []
	// after: [lock]
}

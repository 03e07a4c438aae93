package etcdtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// Over TCP it serves programs of any language.
func ExampleServer_Listen() {
	srv := etcdtest.New()
	defer srv.Close()
	url, err := srv.Listen()
	if err != nil {
		panic(err)
	}
	r, err := http.Post(url+"/v3/kv/put", "application/json", strings.NewReader(`{"key":"YQ==","value":"MQ=="}`))
	if err != nil {
		panic(err)
	}
	r.Body.Close()
	fmt.Println(r.StatusCode, srv.Keys(""))
	// Output: 200 [a]
}

// A server that is full takes no puts; what only deletes passes.
func ExampleServer_SetNoSpace() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	srv.Put("a", nil)
	srv.SetNoSpace(true)
	_, err := client.Put(ctx, "b", nil)
	fmt.Println(errors.Is(err, etcd.ErrNoSpace))
	_, err = client.Delete(ctx, etcd.Key("a"))
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A member that is cut off from the others cannot commit; the client goes on at
// another one.
func ExampleServer_Partition() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	srv.Partition(0)
	r, err := client.Get(context.Background(), etcd.Key("a"))
	fmt.Println(err, r.Header.MemberID != 0)
	srv.Heal(0)
	// Output: <nil> true
}

package embedded_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/quorate/quorate/embedded"
)

// A program brings its own etcd: any client can use the endpoints as soon as
// Start has returned.
func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cluster, err := embedded.Start(ctx, embedded.Config{}) // temporary data, free port
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Stop(ctx) // waits until all is gone, the data too

	body := strings.NewReader(`{"key":"aGVsbG8=","value":"d29ybGQ="}`)
	reply, err := http.Post(cluster.Endpoints()[0]+"/v3/kv/put", "application/json", body)
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	fmt.Println(reply.Status)
	// Output: 200 OK
}

// Three members survive the loss of one.
func ExampleCluster_StopMember() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cluster, err := embedded.Start(ctx, embedded.Config{Members: 3, UnsafeNoFsync: true})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Stop(ctx)

	leader := cluster.Leader()
	if err := cluster.StopMember(ctx, leader); err != nil {
		log.Fatal(err)
	}
	other := cluster.Endpoints()[(leader+1)%3]
	reply, err := http.Post(other+"/v3/kv/put", "application/json", strings.NewReader(`{"key":"aGVsbG8="}`))
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	fmt.Println(reply.Status, cluster.Err())
	// Output: 200 OK <nil>
}

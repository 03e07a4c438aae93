package embedded_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/embedded"
)

// A program brings its own etcd: any client can use the endpoints as soon as
// Start has returned.
func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
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
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cluster, err := embedded.Start(ctx, embedded.Config{Members: 3, UnsafeNoFsync: true})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Stop(ctx)

	leader := cluster.Leader()
	if err := cluster.StopMember(ctx, (leader+1)%3); err != nil {
		log.Fatal(err)
	}
	reply, err := http.Post(cluster.Endpoints()[leader]+"/v3/kv/put", "application/json", strings.NewReader(`{"key":"aGVsbG8="}`))
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	fmt.Println(reply.Status, cluster.Err())
	// Output: 200 OK <nil>
}

// Data in a directory of one's own outlive the cluster; a temporary one goes
// with it. Ports can be chosen, and the history that is kept.
func ExampleConfig() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	cfg := embedded.Config{
		Dir:        filepath.Join(parent, "data"),
		Compaction: embedded.Compaction{KeepRevisions: 10_000},
		QuotaBytes: 512 << 20,
	}
	for _, body := range []string{`{"key":"a2V5","value":"a2VwdA=="}`, ""} {
		cluster, err := embedded.Start(ctx, cfg)
		if err != nil {
			log.Fatal(err)
		}
		path := "/v3/kv/put"
		if body == "" { // the second time: is it still there?
			path, body = "/v3/kv/range", `{"key":"a2V5","count_only":true}`
		}
		reply, err := http.Post(cluster.Endpoints()[0]+path, "application/json", strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		text := new(strings.Builder)
		if _, err := io.Copy(text, reply.Body); err != nil {
			log.Fatal(err)
		}
		reply.Body.Close()
		fmt.Println(path, reply.StatusCode, strings.Contains(text.String(), `"count":"1"`))
		if err := cluster.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// /v3/kv/put 200 false
	// /v3/kv/range 200 true
}

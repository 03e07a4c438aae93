package h1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/quorate/quorate/internal/h1"
)

func ExamplePool_Do() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s got %s", r.URL.Path, body)
	}))
	pool, err := h1.New(srv.Listener.Addr().String(), h1.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	request := &h1.Request{Path: "/v3/kv/range", Body: []byte(`{}`), Timeout: 5 * time.Second}
	reply, err := pool.Do(context.Background(), request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.Status, string(reply.Body))
	reply.Release()

	// With the server gone nothing can be sent, and the error knows it.
	srv.Close()
	other, err := h1.New(pool.Host(), h1.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer other.Close()
	_, err = other.Do(context.Background(), request)
	var failure *h1.Error
	if errors.As(err, &failure) {
		fmt.Println("sent:", failure.Sent)
	}
	// Output:
	// 200 /v3/kv/range got {}
	// sent: false
}

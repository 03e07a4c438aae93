package h1

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkExchange compares Do with net/http's Transport against one trivial
// server on the loopback.
func BenchmarkExchange(b *testing.B) {
	reply := []byte(`{"header":{"cluster_id":"15118495548433857066", "member_id":"13668033151171901709", "revision":"2", "raft_term":"2"}}`)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(reply)
	}))
	defer srv.Close()
	pool := newPool(b, srv.Listener.Addr().String(), Config{})
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()

	for _, size := range []int{200, 40 << 10} {
		body := []byte(strings.Repeat("x", size))
		name := map[int]string{200: "200B", 40 << 10: "40KiB"}[size]
		b.Run(name+"/Do", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := pool.Do(context.Background(), &Request{Path: "/v3/kv/put", Body: body})
				if err != nil || r.Status != 200 {
					b.Fatal(err)
				}
				r.Release()
			}
		})
		b.Run(name+"/DoWithContextAndTimeout", func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				r, err := pool.Do(ctx, &Request{Path: "/v3/kv/put", Body: body, Timeout: time.Minute})
				if err != nil || r.Status != 200 {
					b.Fatal(err)
				}
				r.Release()
			}
		})
		b.Run(name+"/Transport", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequest("POST", srv.URL+"/v3/kv/put", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				resp, err := transport.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadAll(resp.Body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}

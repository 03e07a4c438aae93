package h1

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveFixed answers every n bytes with the same reply, without allocating.
func serveFixed(t testing.TB, n int) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				buf, reply := make([]byte, n), []byte(okReply)
				for {
					if _, err := io.ReadFull(nc, buf); err != nil {
						return
					}
					nc.Write(reply)
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func TestACallAllocatesNextToNothing(t *testing.T) {
	req := &Request{Path: "/v3/kv/put", Body: make([]byte, 200), Timeout: time.Minute}
	// The port's width is part of the request, so the host's name is fixed.
	addr := serveFixed(t, len(req.appendHead(nil, commonHead("member:2379")))+len(req.Body))
	pool := newPool(t, "member:2379", Config{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}})
	call := func(ctx context.Context) func() {
		return func() {
			r, err := pool.Do(ctx, req)
			if err != nil {
				t.Error(err)
			}
			r.Release()
		}
	}
	require.LessOrEqual(t, testing.AllocsPerRun(200, call(context.Background())), 1.0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	require.LessOrEqual(t, testing.AllocsPerRun(200, call(ctx)), 4.0)
}

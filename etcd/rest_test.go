package etcd_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A countedConn counts what is written to it, whatever it is.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// Whoever waits, for however long, costs the cluster what tells that it lives,
// and nothing grows out of what it did before.
func TestWhoeverIsAtRestAsksForNothing(t *testing.T) {
	for _, via := range []string{"websocket", "stream"} {
		t.Run(via, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start(etcdtest.WithMembers(3))
				if via == "stream" {
					postOnly(srv)
				}
				var writes atomic.Int64
				c := newClient(t, srv, func(cfg *etcd.Config) {
					cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
						nc, err := srv.Dial(ctx, network, addr)
						return countedConn{nc, &writes}, err
					}
				})
				s, err := etcd.NewSession(t.Context(), c)
				require.NoError(t, err)
				_, err = c.Put(t.Context(), "held", nil, etcd.WithLease(s.Lease()))
				require.NoError(t, err)
				for i := range 60 {
					key := etcd.Key(fmt.Sprint("k/", i))
					var w *etcd.Watcher
					switch i % 4 {
					case 0:
						w = watch(t, c, key, etcd.FromRevision(1))
					case 1:
						w = watch(t, c, key, etcd.WithProgress())
					default:
						w = watch(t, c, key)
					}
					srv.Put(fmt.Sprint("k/", i), nil)
					switch i % 5 {
					case 0: // while the event is on its way
						w.Close()
					case 1:
						collect(t, w, 1)
					}
					if i%20 == 10 {
						srv.DropWatches()
					}
				}
				time.Sleep(time.Minute)

				const long = 30 * time.Minute
				before, sent := srv.Requests(), writes.Load()
				time.Sleep(long)
				most := map[string]int{
					"/v3/lease/keepalive": int(long/(s.TTL()/3)) + 1,
					"/v3/kv/range":        int(long/(2*time.Second)) + 1, // the member is there, and the connection
				}
				if via == "stream" { // every ten minutes something better is tried
					most["/v3/watch"] = 3 * (48 + 1)
					most["/v3/kv/range"] += 3 * 4
				}
				requests := 0
				for path, n := range srv.Requests() {
					require.LessOrEqual(t, n-before[path], most[path], path)
					requests += n - before[path]
				}
				require.LessOrEqual(t, writes.Load()-sent, int64(requests+most["/v3/kv/range"]), "a ping beside each check")
				require.Equal(t, 48, srv.Watches())
				require.NoError(t, s.Err())
				require.NoError(t, s.Close(t.Context()))
			})
		})
	}
}

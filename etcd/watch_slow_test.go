package etcd_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A slowConn brings no more than rate bytes a second, until it is quick.
type slowConn struct {
	net.Conn
	rate  int
	quick *atomic.Bool
}

func (c slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(len(p), c.rate/10)])
	if c.quick.Load() {
		return n, err
	}
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

// A message that takes long to arrive holds up the answer to a ping, and is
// itself a sign of life.
func TestAMessageThatTakesLongToArriveDoesNotCostTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		var seen transportLog
		var quick atomic.Bool
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Watch = seen.note
			cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := srv.Dial(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return slowConn{nc, 100 << 10, &quick}, nil
			}
		})
		w := watch(t, c, etcd.Key("k"))
		begin := time.Now()
		srv.Put("k", make([]byte, 1<<20))
		srv.Put("k", []byte("next"))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		for got := 0; got < 2; {
			events, err := w.Next(ctx)
			require.NoError(t, err)
			got += len(events.Events)
		}
		require.Less(t, time.Since(begin), 20*time.Second)
		require.Equal(t, []string{"websocket"}, seen.opened())
		quick.Store(true)
		time.Sleep(time.Second) // nobody sleeps with a lock of the WebSocket's any more
	})
}

package etcd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// inBubble runs f in a bubble with an in-memory cluster and a client of it.
// Goroutines and connections that are left over fail the test.
func inBubble(t *testing.T, f func(t *testing.T, srv *etcdtest.Server, c *Client), opts ...etcdtest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, opts...)
		c := newTestClient(t, srv)
		f(t, srv, c)
	})
}

func newTestClient(t *testing.T, srv *etcdtest.Server) *Client {
	t.Helper()
	c, err := New(Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func newTestSession(t *testing.T, c *Client, opts ...SessionOption) *Session {
	t.Helper()
	s, err := NewSession(context.Background(), c, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func TestASessionLivesFarBeyondItsTTL(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(5*time.Second))
		_, err := c.Put(t.Context(), "k", []byte("v"), WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.NoError(t, s.Err())
		r, err := c.Get(t.Context(), Key("k"))
		require.NoError(t, err)
		require.Len(t, r.KVs, 1)
	})
}

func TestALateWriteThatWasAbandonedIsRemovedWhileTheSessionLives(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		s.Abandon("line/7", []byte("nonce"))
		for _, late := range []time.Duration{0, time.Second, time.Minute} {
			time.Sleep(late)
			put, err := c.Put(t.Context(), "line/7", []byte("nonce"), WithLease(s.Lease()))
			require.NoError(t, err)
			time.Sleep(s.TTL() + time.Second)
			r, err := c.Get(t.Context(), Key("line/7"))
			require.NoError(t, err)
			require.Empty(t, r.KVs, "created at revision %d and still there", put.Header.Revision)
		}
	})
}

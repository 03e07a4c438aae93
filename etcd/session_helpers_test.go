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
// A goroutine that is left over when the client and the server are closed fails
// the test, and so does a connection that outlives the client.
func inBubble(t *testing.T, f func(t *testing.T, srv *etcdtest.Server, c *Client), opts ...etcdtest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, opts...)
		t.Cleanup(func() {
			time.Sleep(time.Hour) // what the server holds up
			synctest.Wait()
			require.Zero(t, srv.Connections(), "connections left over")
		})
		f(t, srv, newTestClient(t, srv))
	})
}

func newTestClient(t testing.TB, srv *etcdtest.Server, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{Endpoints: srv.URLs(), Dial: srv.Dial}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// newTestSession makes a session that is ended with the test, whatever became
// of it.
func newTestSession(t testing.TB, c *Client, opts ...SessionOption) *Session {
	t.Helper()
	s, err := NewSession(context.Background(), c, opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}

// leaseOf finds a lease at the server.
func leaseOf(srv *etcdtest.Server, id LeaseID) (etcdtest.Lease, bool) {
	for _, l := range srv.Leases() {
		if l.ID == int64(id) {
			return l, true
		}
	}
	return etcdtest.Lease{}, false
}

const (
	grantPath     = "/v3/lease/grant"
	keepAlivePath = "/v3/lease/keepalive"
	revokePath    = "/v3/lease/revoke"
)

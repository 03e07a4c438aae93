package etcd

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestAWriteThatComesLateIsRemovedHoweverLate(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		release := make(chan struct{})
		late := srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Late: release, Times: 1})
		_, err := c.Put(t.Context(), "line/7", []byte("nonce"), WithLease(s.Lease()))
		require.ErrorIs(t, err, ErrUnknownOutcome)
		require.Equal(t, 1, late.Hits())
		s.Abandon("line/7", []byte("nonce"))
		time.Sleep(time.Hour)
		require.Empty(t, srv.Events())

		close(release) // a paused server goes on
		time.Sleep(time.Millisecond + t.Slack(6))
		require.Len(t, srv.Events(), 2, "put, then deleted")
		require.Empty(t, srv.Keys(""))
		require.NoError(t, s.Err())
	})
}

func TestManyWritesThatComeLateAtOnceAreRemovedSideBySide(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		const n = 50
		s := newTestSession(t, c)
		release := make(chan struct{})
		late := srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Late: release})
		for i := range n {
			ctx, cancel := context.WithTimeout(t.Context(), t.Slack(1)+time.Millisecond)
			_, err := c.Put(ctx, "line/"+strconv.Itoa(i), nil, WithLease(s.Lease()))
			cancel()
			require.ErrorIs(t, err, ErrUnknownOutcome)
			s.Abandon("line/"+strconv.Itoa(i), nil)
		}
		require.Equal(t, n, late.Hits())
		time.Sleep(time.Minute)
		close(release)
		time.Sleep(time.Millisecond + t.Slack(10))
		require.Empty(t, srv.Keys(""))
		require.Len(t, srv.Events(), 2*n, "each put, then deleted")
	})
}

func TestOnlyWhatWasAbandonedIsRemoved(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s, other := newTestSession(t, c), newTestSession(t, c)
		s.Abandon("a", []byte("mine"))
		s.Abandon("b", nil)
		s.Abandon("c", []byte("mine"))
		s.Abandon("", nil)
		for key, put := range map[string]struct {
			value string
			lease LeaseID
		}{
			"a": {"somebody's", s.Lease()}, // another value
			"b": {"mine", other.Lease()},   // another session's
			"c": {"mine", 0},               // no lease
			"d": {"mine", s.Lease()},       // never abandoned
		} {
			_, err := c.Put(t.Context(), key, []byte(put.value), WithLease(put.lease))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a", "b", "c", "d"}, srv.Keys(""))
		_, err := c.Put(t.Context(), "b", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a", "c", "d"}, srv.Keys(""))
	})
}

func TestAbandonedWritesAreCheapHoweverMany(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		before := srv.Requests()["/v3/lease/timetolive"]
		for i := range maxAbandoned + 10 {
			s.Abandon("k"+strconv.Itoa(i), nil)
		}
		time.Sleep(10 * time.Minute)
		require.LessOrEqual(t, srv.Requests()["/v3/lease/timetolive"]-before, 200)
		require.Equal(t, maxWatched, srv.Watches())
		s.janitor.mu.Lock()
		require.Len(t, s.janitor.keys, maxAbandoned)
		require.Len(t, s.janitor.order, maxAbandoned)
		s.janitor.mu.Unlock()
	})
}

func TestTheJanitorGoesOnAfterFailures(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		s.Abandon("k", nil)
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", LoseReply: true, Times: 2})
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}, Times: 2})
		_, err := c.Put(t.Context(), "k", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(5 * s.TTL())
		require.Empty(t, srv.Keys(""))
		require.NoError(t, s.Err())
	})
}

func TestALateWriteIsRemovedWhereNothingCanBeWatched(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: "/v3/watch", Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		s := newTestSession(t, c)
		s.Abandon("k", nil)
		time.Sleep(time.Minute)
		_, err := c.Put(t.Context(), "k", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(s.TTL() + time.Second)
		require.Empty(t, srv.Keys(""))
	})
}

func TestTheKeysAbandonedLastAreTheOnesThatAreWatched(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		for i := range 3 * maxWatched {
			s.Abandon("k"+strconv.Itoa(i), nil)
			time.Sleep(time.Second)
		}
		require.Equal(t, maxWatched, srv.Watches())
		for _, key := range []string{"k" + strconv.Itoa(3*maxWatched-1), "k" + strconv.Itoa(2*maxWatched)} {
			_, err := c.Put(t.Context(), key, nil, WithLease(s.Lease()))
			require.NoError(t, err)
			time.Sleep(time.Millisecond + t.Slack(6))
			require.Empty(t, srv.Keys(""), "removed at once")
		}
		_, err := c.Put(t.Context(), "k0", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(s.TTL())
		require.Empty(t, srv.Keys(""), "removed at the next look")
		require.NoError(t, s.Close(t.Context()))
		time.Sleep(time.Second)
		require.Zero(t, srv.Watches())
	})
}

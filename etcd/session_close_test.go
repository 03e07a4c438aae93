package etcd

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestCloseEndsTheContextFirstAndThenWhatHangsOnTheLease(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		_, err := c.Put(t.Context(), "held", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		release := make(chan struct{})
		revoke := srv.Inject(etcdtest.Fault{Path: revokePath, Hold: release})
		closed := make(chan error, 1)
		go func() { closed <- s.Close(t.Context()) }()
		require.NoError(t, revoke.Await(t.Context(), 1))
		require.ErrorIs(t, s.Err(), ErrSessionClosed)
		require.ErrorIs(t, context.Cause(s.Context()), ErrSessionClosed)
		require.Equal(t, []string{"held"}, srv.Keys(""))
		close(release)
		require.NoError(t, <-closed)
		require.Empty(t, srv.Keys(""))
		require.Empty(t, srv.Leases())
	})
}

func TestCloseIsIdempotentAndASecondCallWaitsForTheFirst(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		srv.Inject(etcdtest.Fault{Path: revokePath, Delay: 2 * time.Second})
		begun := time.Now()
		var calls sync.WaitGroup
		for range 5 {
			calls.Go(func() {
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took < 2*time.Second || took > 2*time.Second+t.Slack(2) {
					t.Errorf("Close returned after %v, not when the lease was revoked", took)
				}
			})
		}
		calls.Wait()
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 1, srv.Requests()[revokePath])
		require.ErrorIs(t, s.Err(), ErrSessionClosed)
	})
}

func TestCloseIsBoundedByItsContextAndCanBeCalledAgain(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		srv.Pause(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		second := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			time.Sleep(100 * time.Millisecond)
			second <- s.Close(ctx)
		}()
		err := s.Close(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "lease "+s.Lease().String()+" is not revoked and runs out within 10s")
		require.Equal(t, time.Second, time.Since(begun))
		require.ErrorIs(t, <-second, context.DeadlineExceeded, "who waits for another has a bound of its own")
		require.ErrorIs(t, s.Err(), ErrSessionClosed, "it is over all the same")

		srv.Resume(0)
		require.NoError(t, s.Close(t.Context()))
		require.Empty(t, srv.Leases())
	})
}

func TestCloseWithAnEndedContextStillEndsTheSession(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Close(ctx), context.Canceled)
		require.ErrorIs(t, s.Err(), ErrSessionClosed)
	})
}

func TestCloseInTheMiddleOfARenewalInterruptsIt(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		renewal := srv.Inject(etcdtest.Fault{Path: keepAlivePath, DelayReply: time.Minute})
		require.NoError(t, renewal.Await(t.Context(), 1))
		begun := time.Now()
		require.NoError(t, s.Close(t.Context()))
		require.LessOrEqual(t, time.Since(begun), t.Slack(1), "the time it takes to revoke the lease")
		require.ErrorIs(t, s.Err(), ErrSessionClosed)
	})
}

func TestClosingASessionThatExpiredHereRevokesItsLeaseForTheOthers(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		fault := srv.Inject(etcdtest.Fault{Path: keepAlivePath, LoseRequest: true})
		<-s.Done()
		fault.Remove()
		_, alive := leaseOf(srv, s.Lease())
		require.True(t, alive)
		require.NoError(t, s.Close(t.Context()))
		_, alive = leaseOf(srv, s.Lease())
		require.False(t, alive)
		require.ErrorIs(t, s.Err(), ErrSessionExpired, "the first reason stays")
	})
}

func TestAReplyLostAtRevokeDoesNotFailClose(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		srv.Inject(etcdtest.Fault{Path: revokePath, LoseReply: true, Times: 1})
		require.NoError(t, s.Close(t.Context()))
		require.Empty(t, srv.Leases())
	})
}

func TestAClosedSessionLeavesNothingRunning(t *testing.T) {
	BothWays(t, func(t *World) {
		srv := t.Start()
		c, err := New(Config{Endpoints: srv.URLs(), Dial: srv.Dial})
		require.NoError(t, err)
		for range 50 {
			s, err := NewSession(t.Context(), c)
			require.NoError(t, err)
			s.Abandon("k", nil)
			_, free := s.Bind(t.Context())
			free()
			require.NoError(t, s.Close(t.Context()))
		}
		t.Settle() // a request that Close cut off may only now reach the server
		requests := srv.Requests()
		time.Sleep(time.Hour)
		for _, path := range []string{keepAlivePath, revokePath, "/v3/lease/timetolive", "/v3/watch"} {
			require.Equal(t, requests[path], srv.Requests()[path], "nobody renews, looks or watches any more: %s", path)
		}
		require.Zero(t, srv.Watches())
		require.NoError(t, c.Close())
		t.Settle()
		require.Zero(t, srv.Connections())
	}) // a goroutine left over is a deadlock of the bubble
}

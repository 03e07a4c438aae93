package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestASessionLivesFarBeyondItsTTLAndSoDoesWhatHangsOnIt(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(5*time.Second))
		_, err := c.Put(t.Context(), "k", []byte("v"), WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.NoError(t, s.Err())
		require.NoError(t, s.Context().Err())
		require.Equal(t, []string{"k"}, srv.Keys(""))
	})
}

func TestASessionRenewsItsLeaseEveryThirdOfTheTTL(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		newTestSession(t, c, WithTTL(9*time.Second))
		time.Sleep(61 * time.Second)
		require.Equal(t, 20, srv.Requests()[keepAlivePath])
	})
}

func TestTheContextGivenAtCreationBoundsTheCreationOnly(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		s, err := NewSession(ctx, c, WithTTL(3*time.Second))
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close(t.Context())) }()
		time.Sleep(time.Minute)
		cancel()
		require.Error(t, ctx.Err())
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())

		srv.Pause(0)
		defer srv.Resume(0)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err = NewSession(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

func TestASessionKnowsWhatItWasMadeOf(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		begun := time.Now()
		s := newTestSession(t, c, WithTTL(4500*time.Millisecond), WithSafetyMargin(2*time.Second))
		require.Equal(t, 5*time.Second, s.TTL(), "rounded up to whole seconds")
		require.Same(t, c, s.Client())
		require.Equal(t, begun.Add(3*time.Second), s.Deadline())
		l, ok := leaseOf(srv, s.Lease())
		require.True(t, ok)
		require.Equal(t, s.TTL(), l.TTL)
	})
}

func TestASessionTakesOverAnExistingLease(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		l, err := c.Grant(t.Context(), 6*time.Second)
		require.NoError(t, err)
		time.Sleep(4 * time.Second)
		s := newTestSession(t, c, WithExistingLease(l.ID))
		require.Equal(t, l.ID, s.Lease())
		require.Equal(t, 6*time.Second, s.TTL())
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())
		require.NoError(t, s.Close(t.Context()))
		require.Empty(t, srv.Leases())

		_, err = NewSession(t.Context(), c, WithExistingLease(l.ID))
		require.ErrorIs(t, err, ErrLeaseNotFound)
	})
}

func TestBindEndsWithWhicheverEndsFirstAndSaysWhich(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		reason := errors.New("the caller's reason")
		parent, end := context.WithCancelCause(context.WithValue(t.Context(), ctxKey{}, "value"))
		byCaller, free := s.Bind(parent)
		defer free()
		bySession, free2 := s.Bind(t.Context())
		defer free2()
		freed, free3 := s.Bind(t.Context())
		require.Equal(t, "value", byCaller.Value(ctxKey{}))

		end(reason)
		require.Equal(t, reason, context.Cause(byCaller))
		require.NoError(t, bySession.Err())
		free3()
		require.Equal(t, context.Canceled, context.Cause(freed))

		require.NoError(t, s.Close(t.Context()))
		t.Settle()
		require.ErrorIs(t, context.Cause(bySession), ErrSessionClosed)
		require.Equal(t, reason, context.Cause(byCaller))
	})
}

type ctxKey struct{}

func TestWrongSessionOptionsAreClearErrorsAndSendNothing(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		for name, test := range map[string]struct {
			opts []SessionOption
			want string
		}{
			"zero TTL":        {[]SessionOption{WithTTL(0)}, "must be positive: 0s"},
			"negative TTL":    {[]SessionOption{WithTTL(-time.Second)}, "must be positive: -1s"},
			"tiny TTL":        {[]SessionOption{WithTTL(time.Millisecond)}, "less than a second: 1ms"},
			"huge TTL":        {[]SessionOption{WithTTL(1<<63 - 1)}, "more than a server takes"},
			"negative margin": {[]SessionOption{WithSafetyMargin(-1)}, "safety margin is negative"},
			"large margin":    {[]SessionOption{WithTTL(4 * time.Second), WithSafetyMargin(3 * time.Second)}, "margin 3s is more than half of the time to live 4s"},
			"no lease":        {[]SessionOption{WithExistingLease(0)}, "lease id 0"},
		} {
			_, err := NewSession(t.Context(), c, test.opts...)
			require.ErrorIs(t, err, ErrInvalid, name)
			require.ErrorContains(t, err, test.want, name)
			require.True(t, SafeToRetry(err), name)
		}
		_, err := NewSession(t.Context(), nil)
		require.ErrorIs(t, err, ErrInvalid)
		require.Empty(t, srv.Requests())

		l, err := c.Grant(t.Context(), 4*time.Second)
		require.NoError(t, err)
		_, err = NewSession(t.Context(), c, WithExistingLease(l.ID), WithSafetyMargin(3*time.Second))
		require.ErrorIs(t, err, ErrInvalid)
		s := newTestSession(t, c, nil, WithTTL(4*time.Second))
		require.NoError(t, s.Err(), "a nil option is none")
	})
}

package etcd

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestALeaseIsGrantedRenewedShownAndRevoked(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		ctx, begun := t.Context(), time.Now()
		l, err := c.Grant(ctx, 4200*time.Millisecond)
		require.NoError(t, err)
		require.Positive(t, l.ID)
		require.Equal(t, 5*time.Second, l.TTL, "rounded up")
		require.Equal(t, begun.Add(5*time.Second), l.Deadline())
		require.NotZero(t, l.Header.ClusterID)
		_, err = c.Put(ctx, "a", nil, WithLease(l.ID))
		require.NoError(t, err)

		time.Sleep(2500 * time.Millisecond)
		info, err := c.TimeToLive(ctx, l.ID, WithKeys())
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, info.TTL)
		require.Equal(t, 5*time.Second, info.Granted)
		require.Equal(t, []string{"a"}, info.Keys)
		info, err = c.TimeToLive(ctx, l.ID)
		require.NoError(t, err)
		require.Empty(t, info.Keys)

		begun = time.Now()
		again, err := c.KeepAlive(ctx, l.ID)
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, again.TTL)
		require.Equal(t, begun, again.Since)
		other, err := c.Grant(ctx, time.Minute, WithLeaseID(-7))
		require.NoError(t, err)
		require.Equal(t, LeaseID(-7), other.ID)
		require.Equal(t, "fffffffffffffff9", other.ID.String())
		ids, err := c.Leases(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []LeaseID{l.ID, other.ID}, ids)

		require.NoError(t, c.Revoke(ctx, l.ID))
		require.Empty(t, srv.Keys(""))
		require.NoError(t, c.Revoke(ctx, other.ID))
		ids, err = c.Leases(ctx)
		require.NoError(t, err)
		require.Empty(t, ids)
	})
}

func TestALeaseThatIsNotThereIsNotFoundWhateverIsAsked(t *testing.T) {
	for _, version := range []string{"3.5.35", "3.6.14", "3.7.3"} {
		bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
			ctx := t.Context()
			_, err := c.KeepAlive(ctx, 99)
			require.ErrorIs(t, err, ErrLeaseNotFound, version)
			require.ErrorContains(t, err, "lease keepalive 63")
			_, err = c.TimeToLive(ctx, 99)
			require.ErrorIs(t, err, ErrLeaseNotFound)
			err = c.Revoke(ctx, 99)
			require.ErrorIs(t, err, ErrLeaseNotFound)
			require.NotErrorIs(t, err, ErrUnknownOutcome)
			_, err = c.Put(ctx, "k", nil, WithLease(99))
			require.ErrorIs(t, err, ErrLeaseNotFound)
		}, etcdtest.WithVersion(version))
	}
}

func TestAReplyLostAtGrantGivesOneLeaseWhoseTimeCountsFromTheFirstAttempt(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: grantPath, DelayReply: time.Second, LoseReply: true, Times: 2})
		begun := time.Now()
		l, err := c.Grant(t.Context(), 10*time.Second)
		require.NoError(t, err)
		require.Equal(t, begun, l.Since)
		require.Equal(t, 10*time.Second, l.TTL)
		require.NotZero(t, l.Header.Revision)
		require.Len(t, srv.Leases(), 1)
		require.Equal(t, int64(l.ID), srv.Leases()[0].ID)
		require.GreaterOrEqual(t, time.Since(begun), 2*time.Second)
	})
}

func TestASessionWhoseGrantTookLongBeginsWithAFreshRenewal(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: grantPath, DelayReply: 2 * time.Second, LoseReply: true, Times: 2})
		s := newTestSession(t, c, WithTTL(6*time.Second))
		left := time.Until(s.Deadline())
		require.LessOrEqual(t, left, 6*time.Second-600*time.Millisecond)
		require.GreaterOrEqual(t, left, 6*time.Second-600*time.Millisecond-t.Slack(1), "counted from the renewal")
		require.Len(t, srv.Leases(), 1)
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())
	})
}

func TestAChosenIDThatIsTakenIsAnErrorThatSaysWhetherItMayBeOnesOwn(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		_, err := c.Grant(t.Context(), time.Minute, WithLeaseID(5))
		require.NoError(t, err)
		_, err = c.Grant(t.Context(), time.Minute, WithLeaseID(5))
		require.ErrorIs(t, err, ErrLeaseExists)
		require.NotErrorIs(t, err, ErrUnknownOutcome)

		srv.Inject(etcdtest.Fault{Path: grantPath, LoseReply: true, Times: 1})
		_, err = c.Grant(t.Context(), time.Minute, WithLeaseID(6))
		require.ErrorIs(t, err, ErrLeaseExists)
		require.ErrorIs(t, err, ErrUnknownOutcome)
	})
}

func TestRepliesLostAtRenewalAndRevocationAreMadeGood(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		l, err := c.Grant(t.Context(), 10*time.Second)
		require.NoError(t, err)
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, DelayReply: time.Second, LoseReply: true, Times: 2})
		begun := time.Now()
		l, err = c.KeepAlive(t.Context(), l.ID)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(l.Since), t.Slack(1), "of the attempt that succeeded")
		require.GreaterOrEqual(t, l.Since.Sub(begun), 2*time.Second)

		srv.Inject(etcdtest.Fault{Path: revokePath, LoseReply: true, Times: 1})
		require.NoError(t, c.Revoke(t.Context(), l.ID))
		require.ErrorIs(t, c.Revoke(t.Context(), l.ID), ErrLeaseNotFound)
	})
}

func TestAnErrorInAStreamIsTheServersError(t *testing.T) {
	for version, body := range map[string]string{
		"3.5": `{"error":{"grpc_code":7,"http_code":403,"message":"etcdserver: permission denied","http_status":"Forbidden"}}`,
		"3.7": `{"error":{"code":7,"message":"etcdserver: permission denied"}}` + "\n",
	} {
		bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
			srv.Inject(etcdtest.Fault{Path: keepAlivePath, Reply: etcdtest.TextReply(200, "application/json", body)})
			_, err := c.KeepAlive(t.Context(), 1)
			require.ErrorIs(t, err, ErrPermissionDenied, version)
			require.NotErrorIs(t, err, ErrUnknownOutcome, version)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, CodePermissionDenied, e.Code)
		})
	}
}

func TestImpossibleLeaseRepliesAreRefused(t *testing.T) {
	for _, body := range []string{
		`{"result":{"ID":"2","TTL":"10"}}`,                  // about another lease
		`{"result":{"ID":"1","TTL":"9223372036854775807"}}`, // for ever
		`{}`,
		``,
		`{"result":{"ID":"1","TTL":"10"}}{"result":{"ID":"1","TTL":"10"}}`,
		`[]`,
	} {
		bothWays(t, func(t *World, srv *etcdtest.Server, _ *Client) {
			c := newTestClient(t, srv, func(cfg *Config) { cfg.RetryTimeout = -1 })
			srv.Inject(etcdtest.Fault{Path: keepAlivePath, Reply: etcdtest.TextReply(200, "application/json", body)})
			_, err := c.KeepAlive(t.Context(), 1)
			require.ErrorIs(t, err, ErrBadReply, body)
		})
	}
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: grantPath, Reply: etcdtest.TextReply(200, "application/json", `{}`)})
		_, err := c.Grant(t.Context(), time.Minute)
		require.ErrorIs(t, err, ErrBadReply)
		require.ErrorIs(t, err, ErrUnknownOutcome)
	})
}

func TestTimesToLiveThatMakeNoSenseAreRefusedAtOnce(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		for _, ttl := range []time.Duration{0, -1, -time.Hour, 1, 999 * time.Millisecond, maxLeaseTTL + 1, math.MaxInt64, math.MinInt64} {
			_, err := c.Grant(t.Context(), ttl)
			require.ErrorIs(t, err, ErrInvalid, "%v", ttl)
			require.True(t, SafeToRetry(err))
		}
		_, err := c.Grant(t.Context(), time.Minute, WithLeaseID(0))
		require.ErrorIs(t, err, ErrInvalid)
		require.Empty(t, srv.Requests())
		l, err := c.Grant(t.Context(), maxLeaseTTL)
		require.NoError(t, err)
		require.Equal(t, maxLeaseTTL, l.TTL)
	})
}

func TestTimeToLiveShowsOnlyKeysOfTheNamespace(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		inside := newTestClient(t, srv, func(cfg *Config) { cfg.Namespace = "app/" })
		l, err := c.Grant(t.Context(), time.Minute)
		require.NoError(t, err)
		for _, k := range []string{"app/x", "app/y", "apple", "b"} {
			_, err := c.Put(t.Context(), k, nil, WithLease(l.ID))
			require.NoError(t, err)
		}
		info, err := inside.TimeToLive(t.Context(), l.ID, WithKeys(), nil)
		require.NoError(t, err)
		require.Equal(t, []string{"x", "y"}, info.Keys)
	})
}

func TestAGrantThatNobodyAnswersEndsWithItsContextAndSaysWhatIsKnown(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: grantPath, LoseReply: true})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := c.Grant(ctx, time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrUnknownOutcome)
		require.Equal(t, 3*time.Second, time.Since(begun))
	})
}

package etcd

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

const timeToLivePath = "/v3/lease/timetolive"

func TestALeaseThatRanOutBeforeItWasKnownIsReplacedByAnother(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: grantPath, DelayReply: 4 * time.Second, LoseReply: true, Times: 1})
		srv.Inject(etcdtest.Fault{Path: timeToLivePath, Delay: 2 * time.Second, Times: 1})
		l, err := c.Grant(t.Context(), 5*time.Second)
		require.NoError(t, err)
		require.Len(t, srv.Leases(), 1)
		time.Sleep(time.Until(l.Deadline()) - time.Millisecond)
		_, alive := leaseOf(srv, l.ID)
		require.True(t, alive, "until its deadline")
	})
}

func TestASessionIsMadeOfALeaseThatLivesHoweverSlowTheAnswers(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: grantPath, DelayReply: 1500 * time.Millisecond, Times: 1})
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, Delay: time.Second, Times: 1})
		s := newTestSession(t, c, WithTTL(2*time.Second)) // it is renewed when it has run out
		require.NoError(t, s.Err())

		srv.Inject(etcdtest.Fault{Path: grantPath, DelayReply: time.Second, Times: 1})
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, DelayReply: 1900 * time.Millisecond, Match: func(r *etcdtest.Request) bool { return r.Int("ID") != int64(s.Lease()) }, Times: 1})
		other := newTestSession(t, c, WithTTL(2*time.Second)) // it is known when it has run out
		require.NoError(t, other.Err())
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())
		require.NoError(t, other.Err())
	})
}

// Whatever becomes of the first requests: a session that is made lives, and
// nothing but time is lost.
func TestASessionIsMadeWhateverHappensToTheFirstRequests(t *testing.T) {
	for seed := range uint64(100) {
		bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			ttl := time.Duration(2+rnd.IntN(6)) * time.Second
			some := func() time.Duration { return time.Duration(rnd.Int64N(int64(ttl))) }
			for range rnd.IntN(4) {
				f := etcdtest.Fault{Skip: rnd.IntN(2), Times: 1 + rnd.IntN(2)}
				f.Path = []string{grantPath, keepAlivePath, timeToLivePath, ""}[rnd.IntN(4)]
				switch rnd.IntN(5) {
				case 0:
					f.LoseRequest = true
				case 1:
					f.LoseReply = true
				case 2:
					f.Delay = some()
				case 3:
					f.DelayReply = some()
				case 4:
					f.DelayReply, f.LoseReply = some(), true
				}
				srv.Inject(f)
			}
			s, err := NewSession(t.Context(), c, WithTTL(ttl))
			require.NoError(t, err, "seed %d", seed)
			require.NoError(t, s.Err(), "seed %d", seed)
			_, alive := leaseOf(srv, s.Lease())
			require.True(t, alive, "seed %d", seed)
			require.NoError(t, s.Close(t.Context()))
			time.Sleep(2 * ttl)
			require.Empty(t, srv.Leases(), "seed %d", seed)
		}, etcdtest.WithMembers(3))
	}
}

func TestAGrantOfWhichNobodyCanTellAnyMoreIsUnknown(t *testing.T) {
	BothWays(t, func(t *World) {
		srv := t.Start()
		c := newTestClient(t, srv, func(cfg *Config) { cfg.RetryTimeout = 2 * time.Second })
		srv.Inject(etcdtest.Fault{Path: grantPath, LoseReply: true, Times: 1})
		srv.Inject(etcdtest.Fault{Path: "/v3/lease/timetolive", Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"}})
		_, err := c.Grant(t.Context(), time.Minute)
		require.ErrorIs(t, err, ErrNoLeader)
		require.Len(t, srv.Leases(), 1)
		require.ErrorIs(t, err, ErrUnknownOutcome, "the lease is there")
		require.False(t, SafeToRetry(err))
	})
}

package etcd

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestASessionThatIsNotRenewedExpiresHereBeforeItDoesAtTheServer(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(10*time.Second))
		_, err := c.Put(t.Context(), "held", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		time.Sleep(7 * time.Second) // two renewals, the last at 6.666 s
		renewed := s.Deadline().Add(-9 * time.Second)
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, LoseRequest: true})

		<-s.Done()
		require.Equal(t, renewed.Add(9*time.Second), time.Now(), "TTL less a tenth of it after the last renewal was sent")
		require.Equal(t, []string{"held"}, srv.Keys(""), "the server still has it")
		var e *SessionError
		require.ErrorAs(t, s.Err(), &e)
		require.ErrorIs(t, e, ErrSessionExpired)
		require.ErrorIs(t, e, ErrUnavailable, "why the last attempt failed")
		require.NotErrorIs(t, e, context.DeadlineExceeded, "nobody's deadline")
		require.Equal(t, s.Lease(), e.Lease)
		require.Equal(t, renewed, e.Renewed)
		require.Equal(t, time.Now(), e.Deadline)
		require.Equal(t, e, context.Cause(s.Context()))
		require.Contains(t, e.Error(), s.Lease().String())

		time.Sleep(time.Second + time.Millisecond + t.Slack(1))
		require.Empty(t, srv.Keys(""), "and a margin later it has not")
	})
}

func TestTheDeadlineCountsFromBeforeTheRenewalWasSentHoweverSlowTheAnswer(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(9*time.Second))
		begun := s.Deadline().Add(-9*time.Second + 900*time.Millisecond)
		renewal := srv.Inject(etcdtest.Fault{Path: keepAlivePath, DelayReply: 1200 * time.Millisecond, Times: 1})
		require.NoError(t, renewal.Await(t.Context(), 1))
		require.GreaterOrEqual(t, time.Since(begun), 3*time.Second)
		require.LessOrEqual(t, time.Since(begun), 3*time.Second+t.Slack(1))
		time.Sleep(1300 * time.Millisecond)
		require.Equal(t, begun.Add(3*time.Second+9*time.Second-900*time.Millisecond), s.Deadline())
	})
}

// Whatever goes wrong with renewals, and however slow they are: at the moment
// when a session learns that it expired, the server still has its lease.
func TestExpiryIsNoticedHereFirstWhateverHappensToRenewals(t *testing.T) {
	for seed := range uint64(60) {
		bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			ttl := time.Duration(2+rnd.IntN(10)) * time.Second
			s := newTestSession(t, c, WithTTL(ttl))
			wait := func(most time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(most))) }
			for range 1 + rnd.IntN(12) {
				f := etcdtest.Fault{Path: keepAlivePath, Skip: rnd.IntN(3), Times: 1 + rnd.IntN(3)}
				switch rnd.IntN(7) {
				case 0:
					f.LoseRequest = true
				case 1:
					f.LoseReply = true
				case 2:
					f.Delay = wait(ttl)
				case 3:
					f.DelayReply = wait(ttl)
				case 4:
					f.Refuse = &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: leader changed"}
				case 5:
					f.Reply = etcdtest.TextReply(200, "application/json", `{"result":{"hea`)
				case 6:
					f.CutReply = 1 + rnd.IntN(40)
				}
				srv.Inject(f)
			}
			time.Sleep(wait(3 * ttl))
			if s.Err() == nil && rnd.IntN(3) == 0 {
				srv.Pause(rnd.IntN(3))
			}
			if s.Err() == nil {
				srv.Inject(etcdtest.Fault{Path: keepAlivePath, LoseReply: rnd.IntN(2) == 0, LoseRequest: true})
			}
			_, alive := leaseOf(srv, s.Lease())
			require.True(t, alive || s.Err() != nil, "seed %d: the lease is gone and the session lives", seed)
			<-s.Done()
			if errors.Is(s.Err(), ErrSessionExpired) {
				var e *SessionError
				require.ErrorAs(t, s.Err(), &e)
				if time.Now().Equal(e.Ended) {
					_, alive := leaseOf(srv, s.Lease())
					require.True(t, alive, "seed %d: the lease ended before the session", seed)
				}
			}
			for i := range 3 {
				srv.Resume(i)
			}
		}, etcdtest.WithMembers(3))
	}
}

func TestALeaseRevokedByHandEndsTheSessionAsRevoked(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(9*time.Second))
		time.Sleep(time.Second)
		require.True(t, srv.RevokeLease(int64(s.Lease())))
		begun := time.Now()
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrSessionRevoked)
		require.ErrorIs(t, s.Err(), ErrLeaseNotFound)
		require.NotErrorIs(t, s.Err(), ErrSessionExpired)
		require.LessOrEqual(t, time.Since(begun), 3*time.Second, "the next renewal tells")
		require.NoError(t, s.Close(t.Context()), "what is gone need not be revoked")
	})
}

func TestClosingTheClientEndsItsSessions(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		other := newTestClient(t, srv)
		s, err := NewSession(t.Context(), other)
		require.NoError(t, err)
		s.Abandon("somewhere", nil)
		require.NoError(t, other.Close())
		require.ErrorIs(t, s.Err(), ErrClosed)
		require.ErrorIs(t, context.Cause(s.Context()), ErrClosed, "Close has waited for that")
		err = s.Close(t.Context())
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorContains(t, err, "runs out within 10s")
		_, err = NewSession(t.Context(), other)
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestAWipedClusterEndsTheSessionAsWhatItIs(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		time.Sleep(5 * time.Second)
		srv.Wipe()
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrClusterChanged)
		require.NotErrorIs(t, s.Err(), ErrSessionRevoked)
	})
}

func TestARestoredClusterThatStillHasTheLeaseEndsTheSession(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		_, err := c.Put(t.Context(), "k", nil, WithLease(s.Lease()))
		require.NoError(t, err)
		require.NoError(t, srv.Restore(srv.Revision()))
		_, alive := leaseOf(srv, s.Lease())
		require.True(t, alive)
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrClusterChanged)
	})
}

func TestASessionSurvivesWithoutItsMembersAsLongAsItsTTLAllows(t *testing.T) {
	for name, fault := range map[string]func(srv *etcdtest.Server, i int){
		"paused":      func(srv *etcdtest.Server, i int) { srv.Pause(i) },
		"killed":      func(srv *etcdtest.Server, i int) { srv.Kill(i) },
		"partitioned": func(srv *etcdtest.Server, i int) { srv.Partition(i) },
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
				s := newTestSession(t, c, WithTTL(3*time.Second))
				for i := range 3 {
					fault(srv, i)
					time.Sleep(10 * time.Second)
					require.NoError(t, s.Err(), "without member %d", i)
					srv.Resume(i)
					srv.Restart(i)
					srv.Heal(i)
					time.Sleep(7 * time.Second)
				}
				require.NoError(t, s.Err())
			}, etcdtest.WithMembers(3))
		})
	}
}

func TestASessionSurvivesTwoPausedMembersOfFive(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(4*time.Second))
		srv.Pause(0)
		srv.Pause(1)
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())
		srv.Resume(0)
		srv.Resume(1)
	}, etcdtest.WithMembers(5))
}

func TestASessionSurvivesAnElectionAndALossOfQuorumWithinItsTTL(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(10*time.Second))
		for range 5 {
			srv.LoseQuorum()
			time.Sleep(5 * time.Second)
			srv.RegainQuorum()
			time.Sleep(10 * time.Second)
			require.NoError(t, s.Err())
		}
		srv.LoseQuorum()
		time.Sleep(11 * time.Second)
		require.ErrorIs(t, s.Err(), ErrSessionExpired)
		require.ErrorIs(t, s.Err(), ErrNoLeader)
	}, etcdtest.WithMembers(3))
}

func TestASessionSurvivesACauseThatIsGoneAtTheLastMoment(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(10*time.Second))
		for range 50 {
			time.Sleep(5 * time.Second)
			srv.LoseQuorum()
			s.mu.Lock()
			left := time.Until(s.last.deadline())
			s.mu.Unlock()
			time.Sleep(left - 50*time.Millisecond)
			srv.RegainQuorum()
			time.Sleep(100 * time.Millisecond)
			require.NoError(t, s.Err())
		}
	}, etcdtest.WithMembers(3))
}

func TestALinkTooSlowForShortAttemptsStillKeepsASession(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(3*time.Second)) // a sixth is 500 ms
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, DelayReply: 700 * time.Millisecond})
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())
	})
}

func TestARenewalThatIsRefusedIsTriedUntilTheDeadline(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c)
		time.Sleep(time.Second)
		refusal := srv.Inject(etcdtest.Fault{Path: keepAlivePath, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		time.Sleep(5 * time.Second)
		require.NoError(t, s.Err())
		refusal.Remove()
		time.Sleep(20 * time.Second)
		require.NoError(t, s.Err())

		srv.Inject(etcdtest.Fault{Path: keepAlivePath, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrSessionExpired)
		require.ErrorIs(t, s.Err(), ErrPermissionDenied)
		require.Less(t, refusal.Hits(), 200, "not without a pause")
		t.Settle()
	})
}

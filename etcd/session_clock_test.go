package etcd

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestErrSaysExpiredBeforeAnyTimerFires(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(10*time.Second))
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, LoseRequest: true})
		// A process that was paused: its timers are late.
		s.mu.Lock()
		require.True(t, s.alarm.Stop())
		s.last.sent = s.last.sent.Add(-9 * time.Second)
		s.last.wall = s.last.wall.Add(-9 * time.Second)
		s.mu.Unlock()

		require.NoError(t, s.Context().Err(), "nothing has noticed")
		require.ErrorIs(t, s.Err(), ErrSessionExpired)
		require.Error(t, s.Context().Err(), "who looks ends it for all")
		require.Equal(t, s.Err(), context.Cause(s.Context()))
	})
}

func TestAMachineThatWasSuspendedFindsItsSessionExpired(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(10*time.Second))
		s.mu.Lock() // the monotonic clock stood still, wall time went on by a minute
		s.last.wall = s.last.wall.Add(-time.Minute)
		s.mu.Unlock()
		require.ErrorIs(t, s.Err(), ErrSessionExpired)

		// And if nobody asks, it is found by the time of the next renewal.
		s = newTestSession(t, c, WithTTL(9*time.Second))
		s.mu.Lock()
		s.last.wall = s.last.wall.Add(-time.Minute)
		s.mu.Unlock()
		time.Sleep(3*time.Second + time.Millisecond)
		require.ErrorIs(t, context.Cause(s.Context()), ErrSessionExpired)
	})
}

func TestAWallClockThatIsSetBackDoesNoHarm(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s := newTestSession(t, c, WithTTL(10*time.Second))
		s.mu.Lock()
		s.last.wall = s.last.wall.Add(time.Hour)
		s.mu.Unlock()
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())

		// Nor does it keep a session alive that the monotonic clock ends.
		srv.Inject(etcdtest.Fault{Path: keepAlivePath, LoseRequest: true})
		s.mu.Lock()
		s.last.wall = s.last.wall.Add(time.Hour)
		s.mu.Unlock()
		time.Sleep(10 * time.Second)
		require.ErrorIs(t, context.Cause(s.Context()), ErrSessionExpired)
	})
}

func TestEitherClockEndsASessionAndSmallStepsDoNot(t *testing.T) {
	r := newRenewal(time.Now(), 9*time.Second)
	for _, test := range []struct {
		monotonic, wall time.Duration
		over            bool
	}{
		{0, 0, false},
		{8 * time.Second, 8 * time.Second, false},
		{9 * time.Second, 9 * time.Second, true},
		{time.Second, time.Minute, true},      // suspended, or set forward
		{time.Second, 5 * time.Second, false}, // set forward a little
		{time.Second, -time.Hour, false},      // set back
		{9 * time.Second, -time.Hour, true},   // set back, but over
		{-time.Second, -time.Second, false},   // no clock does that
		{9*time.Second - 1, 9*time.Second - 1, false},
	} {
		require.Equal(t, test.over, r.elapsedOver(test.monotonic, test.wall), "%v by the monotonic clock, %v by the wall's", test.monotonic, test.wall)
	}
	require.False(t, r.over(r.sent.Add(9*time.Second-1)))
	require.True(t, r.over(r.sent.Add(9*time.Second)))
}

package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// Servers before 3.5.8 tell of progress before they have sent the events.
func TestAWatchLosesNothingWhereProgressOvertakesEvents(t *testing.T) {
	for _, version := range []string{"3.4.21", "3.5.7"} {
		t.Run(version, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start(etcdtest.WithVersion(version))
				c := newClient(t, srv)
				live := watch(t, c, etcd.Key("a"))
				for i := range 10 {
					srv.Put("a", fmt.Append(nil, i))
				}
				past, err := c.Watch(t.Context(), etcd.Key("a"), etcd.FromRevision(live.Created()+1))
				require.NoError(t, err)
				require.Equal(t, collect(t, live, 10), collect(t, past, 10))

				time.Sleep(time.Minute) // it has left the connection it caught up on
				require.Equal(t, 1, srv.WatchStreams())
				srv.DropWatches()
				srv.Put("a", []byte("dropped"))
				require.Equal(t, collect(t, live, 1), collect(t, past, 1))
			})
		})
	}
}

func TestAWatchOf34IsMadeThoughAWebSocketKnowsNoUserThere(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv, c := withUser(t, etcdtest.WithVersion("3.4.21"))
		mine := watch(t, c, etcd.Key("mine"))
		logins := srv.Requests()["/v3/auth/authenticate"]
		for range 3 {
			_, err := c.Watch(context.Background(), etcd.Key("yours"))
			require.ErrorIs(t, err, etcd.ErrPermissionDenied)
			require.ErrorContains(t, err, `watch "yours"`)
		}
		require.Equal(t, logins, srv.Requests()["/v3/auth/authenticate"], "the token was good for the other")
		t.Settle()
		require.Equal(t, 1, srv.WatchStreams())
		srv.Put("mine", nil)
		require.Len(t, collect(t, mine, 1), 1, "the others go on")
	})
}

func TestAForbiddenWatchOf34IsAnErrorSoon(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv, c := withUser(t, etcdtest.WithVersion("3.4.21"))
		begin := time.Now()
		_, err := c.Watch(context.Background(), etcd.Key("yours"))
		require.ErrorIs(t, err, etcd.ErrPermissionDenied)
		require.Less(t, time.Since(begin), time.Second)
		mine := watch(t, c, etcd.Key("mine"))
		srv.Put("mine", nil)
		require.Len(t, collect(t, mine, 1), 1)
	})
}

func TestAWatchOf34IsMadeThoughAuthenticationWasSwitchedOnAMomentAgo(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithVersion("3.4.21"))
		c := newClient(t, srv, asRoot("secret"))
		first := watch(t, c, etcd.Key("a")) // over a connection without a token
		require.NoError(t, c.UserAdd(t.Context(), "root", "secret"))
		require.NoError(t, c.RoleAdd(t.Context(), "root"))
		require.NoError(t, c.UserGrantRole(t.Context(), "root", "root"))
		require.NoError(t, c.AuthEnable(t.Context()))

		second := watch(t, c, etcd.Key("a"))
		_, err := c.Put(t.Context(), "a", nil)
		require.NoError(t, err)
		require.Len(t, collect(t, first, 1), 1)
		require.Len(t, collect(t, second, 1), 1)
	})
}

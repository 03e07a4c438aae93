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

func TestAWatchIsRefusedToAUserWhoMayNot(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv, c := withUser(t)
		mine := watch(t, c, etcd.Key("mine"))
		_, err := c.Watch(context.Background(), etcd.Key("yours"))
		require.ErrorIs(t, err, etcd.ErrPermissionDenied)
		require.ErrorContains(t, err, `watch "yours"`)
		srv.Put("mine", nil)
		require.Len(t, collect(t, mine, 1), 1, "the others go on")
		require.Equal(t, 1, srv.WatchStreams())
	})
}

func TestARefusedWatchLeavesNoStreamOpen(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv, c := withUser(t)
		postOnly(srv)
		watch(t, c, etcd.Key("mine"))
		for range 3 {
			_, err := c.Watch(context.Background(), etcd.Key("yours"))
			require.ErrorIs(t, err, etcd.ErrPermissionDenied)
		}
		t.Settle()
		require.Equal(t, 1, srv.WatchStreams())
	})
}

func TestWatchesOutliveTheirToken(t *testing.T) {
	for _, via := range []string{"websocket", "stream"} {
		t.Run(via, func(t *testing.T) {
			etcd.EveryWay(t, func(t *etcd.World) {
				srv, c := withUser(t)
				if via == "stream" {
					postOnly(srv)
				}
				w := watch(t, c, etcd.Key("mine"))
				for i := range 20 {
					srv.ExpireTokens()
					if i%2 == 0 {
						time.Sleep(time.Duration(i) * 100 * time.Millisecond)
					}
					another, err := c.Watch(context.Background(), etcd.Key("mine"))
					require.NoError(t, err)
					srv.Put("mine", fmt.Append(nil, i))
					require.Contains(t, collect(t, w, 1)[0], fmt.Sprintf("=%d@", i))
					require.Len(t, collect(t, another, 1), 1)
					another.Close()
				}
				time.Sleep(time.Hour)
				another := watch(t, c, etcd.Key("mine"))
				srv.Put("mine", nil)
				require.Len(t, collect(t, w, 1), 1)
				require.Len(t, collect(t, another, 1), 1)
			})
		})
	}
}

func TestAWrongPasswordIsSaidAtOnce(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "guess", true
		})
		begin := time.Now()
		_, err := c.Watch(context.Background(), etcd.Key("a"))
		require.ErrorIs(t, err, etcd.ErrUnauthenticated)
		require.Less(t, time.Since(begin), time.Second)
	})
}

// withUser gives a server that asks for a password, and a client of a user who
// may read and write the key "mine".
func withUser(t *etcd.World, opts ...etcdtest.Option) (*etcdtest.Server, *etcd.Client) {
	t.Helper()
	ctx := context.Background()
	srv := t.Start(opts...)
	admin := newClient(t, srv)
	require.NoError(t, admin.UserAdd(ctx, "root", "rootpw"))
	require.NoError(t, admin.UserGrantRole(ctx, "root", "root"))
	require.NoError(t, admin.UserAdd(ctx, "ann", "annpw"))
	require.NoError(t, admin.RoleAdd(ctx, "some"))
	require.NoError(t, admin.RoleGrant(ctx, "some", etcd.Key("mine"), etcd.ReadWrite))
	require.NoError(t, admin.UserGrantRole(ctx, "ann", "some"))
	require.NoError(t, admin.AuthEnable(ctx))
	require.NoError(t, admin.Close())
	return srv, newClient(t, srv, func(cfg *etcd.Config) {
		cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "ann", "annpw", true
	})
}

func TestAWatchIsMadeThoughAuthenticationWasSwitchedOnAMomentAgo(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv, asRoot("secret"))
		ctx := t.Context()
		first := watch(t, c, etcd.Key("a")) // over a connection without a token
		require.NoError(t, c.UserAdd(ctx, "root", "secret"))
		require.NoError(t, c.RoleAdd(ctx, "root"))
		require.NoError(t, c.UserGrantRole(ctx, "root", "root"))
		require.NoError(t, c.AuthEnable(ctx))

		second := watch(t, c, etcd.Key("a"))
		_, err := c.Put(ctx, "a", nil)
		require.NoError(t, err)
		require.Len(t, collect(t, first, 1), 1)
		require.Len(t, collect(t, second, 1), 1)
	})
}

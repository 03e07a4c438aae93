package etcd_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A member that starts again forgets its tokens. One that starts again and
// again, and is never up for long, refuses many of them in one outage.
func TestAWatchOutlivesAnOutageInWhichTokensAreRefusedAgainAndAgain(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, asRoot("secret"))
		w := watch(t, c, etcd.Key("k"))
		var unwell atomic.Bool
		srv.Inject(etcdtest.Fault{Path: authPath, Match: func(*etcdtest.Request) bool { unwell.Store(true); return true }})
		outage := srv.Inject(etcdtest.Fault{
			Path:   "/v3/kv/range",
			Match:  func(*etcdtest.Request) bool { return unwell.Load() },
			Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: server stopped"},
		})
		for i := range 6 {
			srv.ExpireTokens()
			srv.DropWatches()
			unwell.Store(false)
			time.Sleep(10 * time.Second)
			require.True(t, unwell.Load(), "no new token was asked for, the %dth time", i+1)
		}
		outage.Remove()
		srv.Put("k", nil)
		require.Len(t, collect(t, w, 1), 1)
	})
}

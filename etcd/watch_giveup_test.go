package etcd_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestCallersWhoGiveUpAWatchSayNothingOfTheWayToTheMember(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithMembers(2))
		var seen transportLog
		var mu sync.Mutex
		asked := map[string]bool{}
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Watch = seen.note
			cfg.Hooks.Request = func(i etcd.RequestInfo) { mu.Lock(); asked[i.Endpoint] = true; mu.Unlock() }
		})
		slow := srv.Inject(etcdtest.Fault{Path: "/v3/watch", Delay: 200 * time.Millisecond})
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, err := c.Watch(ctx, etcd.Key("k"))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			t.Settle()
		}
		require.Empty(t, seen.opened())
		slow.Remove()

		watch(t, c, etcd.Key("k"))
		require.Equal(t, []string{"websocket"}, seen.opened(), "nothing else was known to be wrong with it")
		require.Equal(t, map[string]bool{srv.URLs()[0]: true}, asked, "nor with the member")
	})
}

func TestConnectionsThatBreakSideBySideSayNoMoreThanOne(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		var seen transportLog
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Hooks.Watch = seen.note })
		srv.Inject(etcdtest.Fault{Path: "/v3/watch", Delay: 100 * time.Millisecond, LoseRequest: true, Times: 5})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { // each of them on a connection of its own, until it has caught up
				w, err := c.Watch(t.Context(), etcd.Key("k"), etcd.FromRevision(1))
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(w.Close)
			})
		}
		wg.Wait()
		require.GreaterOrEqual(t, len(seen.opened()), 5)
		for _, transport := range seen.opened() {
			require.Equal(t, "websocket", transport)
		}
	})
}

func TestAConnectionThatCarriesAWatchMakesUpForThoseThatFailed(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		var seen transportLog
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Hooks.Watch = seen.note })
		w := watch(t, c, etcd.Key("k"))
		begun := time.Now()
		for range 4 {
			srv.Inject(etcdtest.Fault{Path: "/v3/watch", LoseRequest: true, Times: 1})
			srv.DropWatches()
			srv.Put("k", nil)
			_, err := w.Next(t.Context())
			require.NoError(t, err)
		}
		require.Less(t, time.Since(begun), 2*time.Second, "before anything is checked")
		require.Equal(t, []string{"websocket", "websocket", "websocket", "websocket", "websocket"}, seen.opened())
	})
}

package etcd_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestAConnectionIsReplacedByOneAndGoesWhateverCarriesIt(t *testing.T) {
	for _, via := range []string{"websocket", "stream"} {
		t.Run(via, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start(etcdtest.WithAuth("secret"))
				if via == "stream" {
					postOnly(srv)
				}
				c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "secret", true })
				var ws []*etcd.Watcher
				for i := range 10 {
					ws = append(ws, watch(t, c, etcd.Key(fmt.Sprint("k/", i))))
				}
				for n := range 10 {
					time.Sleep(6 * time.Minute) // the token is renewed every four
					require.LessOrEqual(t, srv.Watches(), len(ws), "nothing is watched twice for long")
					srv.Put("other", nil)
					for i, w := range ws {
						if i%3 == n%3 { // the others are quiet
							srv.Put(fmt.Sprint("k/", i), fmt.Append(nil, n))
							require.Equal(t, []string{fmt.Sprintf("put k/%d=%d@%d", i, n, srv.Revision())}, collect(t, w, 1))
						}
					}
				}
			})
		})
	}
}

func TestWatchesThatHaveStreamsOfTheirOwnShareTheChecks(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		postOnly(srv)
		srv.Put("k", nil)
		var mu sync.Mutex
		open := 0
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Watch = func(i etcd.WatchConnInfo) {
				mu.Lock()
				defer mu.Unlock()
				if open--; i.Open {
					open += 2
				}
			}
		})
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() { collect(t, watch(t, c, etcd.Key("k"), etcd.FromRevision(1)), 1) })
		}
		wg.Wait()
		t.Settle()
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 1, open)
		require.Equal(t, 12, srv.Watches())
	})
}

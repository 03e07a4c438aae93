package etcd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

const loginPath = "/v3/auth/authenticate"

// Tokens end again and again while calls, watches and a session are under way,
// and the new ones come late, out of order, or not at first.
func TestNobodyNoticesThatTokensEnd(t *testing.T) {
	storms(t, 24, func(t *World, some *storm) {
		srv := t.Start(etcdtest.WithMembers(3), etcdtest.WithAuth("secret"))
		one := func(path string, in int) func(*etcdtest.Request) bool {
			return func(r *etcdtest.Request) bool { return strings.HasPrefix(r.Path, path) && some.n(in) == 0 }
		}
		srv.Inject(etcdtest.Fault{Match: one(loginPath, 3), DelayReply: 8 * t.Latency})
		lost := srv.Inject(etcdtest.Fault{Match: one(loginPath, 6), LoseReply: true})
		srv.Inject(etcdtest.Fault{Match: one("/v3/kv/", 4), Delay: 4 * t.Latency})
		srv.Inject(etcdtest.Fault{Match: one("/v3/kv/", 4), DelayReply: 4 * t.Latency})
		if some.n(2) == 0 {
			srv.Inject(etcdtest.Fault{Path: "/v3/watch", Match: func(r *etcdtest.Request) bool { return r.Body == nil }, Reply: etcdtest.TextReply(403, "text/html", "no")})
		}
		c := newTestClient(t, srv, func(cfg *Config) {
			cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "secret", true
		})
		s := newTestSession(t, c, WithTTL(30*time.Second))
		const callers, rounds = 8, 30
		var ws [callers]*Watcher
		var all sync.WaitGroup
		for g := range callers {
			all.Go(func() {
				key := fmt.Sprint("k/", g)
				var err error
				ws[g], err = c.Watch(t.Context(), Key(key))
				require.NoError(t, err)
				for range rounds {
					_, err := c.Put(t.Context(), key, nil, WithLease(s.Lease()))
					require.NoError(t, err)
					_, err = c.Get(t.Context(), Key(key), Alone())
					require.NoError(t, err)
					time.Sleep(some.upTo(40 * t.Latency))
				}
			})
		}
		ended := 1
		over := make(chan struct{})
		go func() {
			defer close(over)
			all.Wait()
		}()
		for running := true; running; {
			select {
			case <-over:
				running = false
			case <-time.After(80*t.Latency + some.upTo(80*t.Latency)):
				srv.ExpireTokens()
				ended++
			}
		}
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for g, w := range ws {
			var last int64
			for n := 0; n < rounds; {
				batch, err := w.Next(patient)
				require.NoError(t, err, "%d events of k/%d came", n, g)
				for _, ev := range batch.Events {
					n++
					require.EqualValues(t, n, ev.KV.Version, "each event of k/%d once and in order", g)
					require.Greater(t, ev.KV.ModRevision, last)
					last = ev.KV.ModRevision
				}
			}
		}
		require.NoError(t, s.Err())
		before := srv.Requests()[loginPath]
		require.LessOrEqual(t, before, 2*ended+2*lost.Hits(), "one asks for all")
		lost.Remove()
		time.Sleep(time.Minute)
		require.LessOrEqual(t, srv.Requests()[loginPath]-before, 3, "who has a token asks for no other, and one asks at each member")
	})
}

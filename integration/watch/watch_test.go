package watch

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/servers"
)

// A client with a count of its watch connections by transport.
type client struct {
	*etcd.Client
	mu     sync.Mutex
	open   map[string]int
	opened map[string]int
}

func newClient(t *testing.T, cl *cluster.Cluster, change ...func(*etcd.Config)) *client {
	t.Helper()
	c := &client{open: map[string]int{}, opened: map[string]int{}}
	cfg := etcd.Config{Endpoints: cl.Endpoints(), Hooks: etcd.Hooks{Watch: func(i etcd.WatchConnInfo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if i.Open {
			c.open[i.Transport]++
			c.opened[i.Transport]++
		} else if c.open[i.Transport]--; c.open[i.Transport] == 0 {
			delete(c.open, i.Transport)
		}
	}}}
	if certs := cl.Certs(); certs != nil {
		cfg.TLS = etcd.TLSConfig{CAFile: certs.CAFile, CertFile: certs.ClientCertFile, KeyFile: certs.ClientKeyFile}
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	c.Client, err = etcd.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// transports is what the watch connections that are open run over.
func (c *client) transports() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for k, v := range c.open {
		out[k] = v
	}
	return out
}

// next gives the next n events as "key=value".
func next(t *testing.T, w *etcd.Watcher, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var got []string
	for len(got) < n {
		batch, err := w.Next(ctx)
		require.NoError(t, err)
		for _, ev := range batch.Events {
			got = append(got, ev.KV.Key+"="+string(ev.KV.Value))
		}
	}
	require.Len(t, got, n)
	return got
}

// plainProxy passes on requests and no upgrades.
func plainProxy(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	rp := httputil.NewSingleHostReverseProxy(u)
	rp.FlushInterval = -1
	rp.ErrorLog = log.New(io.Discard, "", 0)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		rp.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

func TestWatchesWorkOverEveryTransportAndReleaseLine(t *testing.T) {
	for _, line := range servers.Lines {
		for _, transport := range []string{"websocket", "stream", "h2"} {
			t.Run(line+" over "+transport, func(t *testing.T) {
				cl := cluster.Start(t, cluster.Options{Version: line, TLS: transport == "h2"})
				c := newClient(t, cl, func(cfg *etcd.Config) {
					if transport == "stream" {
						cfg.Endpoints = []string{plainProxy(t, cl.Endpoints()[0])}
					}
				})
				ctx := t.Context()
				w, err := c.Watch(ctx, etcd.Prefix("a/"), etcd.WithPrev())
				require.NoError(t, err)
				require.Equal(t, map[string]int{transport: 1}, c.transports())
				var first int64
				for i := range 20 {
					p, err := c.Put(ctx, "a/k", fmt.Append(nil, i))
					require.NoError(t, err)
					if i == 0 {
						first = p.Header.Revision
					}
					require.Equal(t, []string{fmt.Sprintf("a/k=%d", i)}, next(t, w, 1))
				}
				past, err := c.Watch(ctx, etcd.Key("a/k"), etcd.FromRevision(first+10))
				require.NoError(t, err)
				require.Equal(t, "a/k=10", next(t, past, 10)[0])
				future, err := c.Watch(ctx, etcd.Key("a/k"), etcd.FromRevision(first+22))
				require.NoError(t, err)
				deletes, err := c.Watch(ctx, etcd.All(), etcd.DeletesOnly())
				require.NoError(t, err)
				bulky, err := c.Watch(ctx, etcd.Prefix("a/"), etcd.Bulky())
				require.NoError(t, err)

				cl.Client(0).Reset() // all connections break
				for i := 20; i < 23; i++ {
					_, err = c.Put(ctx, "a/k", fmt.Append(nil, i))
					require.NoError(t, err)
				}
				_, err = c.Delete(ctx, etcd.Key("a/k"))
				require.NoError(t, err)
				all := []string{"a/k=20", "a/k=21", "a/k=22", "a/k="}
				require.Equal(t, all, next(t, w, 4))
				require.Equal(t, all, next(t, past, 4))
				require.Equal(t, all, next(t, bulky, 4))
				require.Equal(t, all[2:], next(t, future, 2))
				require.Equal(t, all[3:], next(t, deletes, 1))

				require.NoError(t, c.Compact(ctx, first+5, false))
				old, err := c.Watch(ctx, etcd.Key("a/k"), etcd.FromRevision(first))
				require.NoError(t, err)
				_, err = old.Next(ctx)
				var compacted *etcd.CompactedError
				require.ErrorAs(t, err, &compacted)
				require.Equal(t, first+5, compacted.Revision)
			})
		}
	}
}

func TestWatchesAuthenticateOnEveryReleaseLine(t *testing.T) {
	for _, line := range servers.Lines {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s tls=%v", line, tls), func(t *testing.T) {
				cl := cluster.Start(t, cluster.Options{Version: line, TLS: tls, Args: []string{"--auth-token-ttl=3"}})
				ctx := t.Context()
				admin := newClient(t, cl)
				require.NoError(t, admin.UserAdd(ctx, "root", "rootpw"))
				require.NoError(t, admin.RoleAdd(ctx, "root"))
				require.NoError(t, admin.UserGrantRole(ctx, "root", "root"))
				require.NoError(t, admin.UserAdd(ctx, "ann", "annpw"))
				require.NoError(t, admin.RoleAdd(ctx, "some"))
				require.NoError(t, admin.RoleGrant(ctx, "some", etcd.Prefix("mine/"), etcd.ReadWrite))
				require.NoError(t, admin.UserGrantRole(ctx, "ann", "some"))
				require.NoError(t, admin.AuthEnable(ctx))

				c := newClient(t, cl, func(cfg *etcd.Config) { cfg.Username, cfg.Password = "ann", "annpw" })
				w, err := c.Watch(ctx, etcd.Prefix("mine/"))
				require.NoError(t, err)
				want := "websocket"
				if tls {
					want = "h2"
				} else if line == "3.4" {
					want = "stream" // no token is taken over a WebSocket
				}
				require.Equal(t, map[string]int{want: 1}, c.transports())
				_, err = c.Watch(ctx, etcd.Key("yours"))
				require.ErrorIs(t, err, etcd.ErrPermissionDenied)

				// A member that starts again has forgotten the tokens.
				// It must serve before the put: the proxy before it accepts
				// connections in any case, and one that ends after the request
				// was sent leaves the outcome unknown.
				cl.Kill(0)
				require.NoError(t, cl.Restart(0))
				require.NoError(t, cl.WaitReady(ctx))
				for i := range 3 {
					_, err = c.Put(ctx, "mine/k", fmt.Append(nil, i))
					require.NoError(t, err)
					require.Equal(t, []string{fmt.Sprintf("mine/k=%d", i)}, next(t, w, 1))
					another, err := c.Watch(ctx, etcd.Key("mine/k"))
					require.NoError(t, err)
					another.Close()
				}
			})
		}
	}
}

func TestTenThousandWatchesShareOneConnection(t *testing.T) {
	const n = 10_000
	for _, transport := range []string{"websocket", "h2"} {
		t.Run(transport, func(t *testing.T) {
			cl := cluster.Start(t, cluster.Options{TLS: transport == "h2"})
			c := newClient(t, cl)
			ctx := t.Context()
			ws := make([]*etcd.Watcher, n)
			begin := time.Now()
			inParallel(t, n, func(i int) error {
				var err error
				ws[i], err = c.Watch(ctx, etcd.Key(fmt.Sprintf("key/%05d", i)))
				return err
			})
			created := time.Since(begin)
			put := func(i int) error {
				_, err := c.Put(ctx, fmt.Sprintf("key/%05d", i), []byte("v"))
				return err
			}
			inParallel(t, n, put)
			for i, w := range ws {
				require.Equal(t, []string{fmt.Sprintf("key/%05d=v", i)}, next(t, w, 1))
			}
			t.Logf("created in %v, an event to each after %v", created, time.Since(begin))
			require.Equal(t, map[string]int{transport: 1}, c.transports())

			// All of them come back where they were.
			cl.Client(0).Reset()
			begin = time.Now()
			inParallel(t, n, put)
			for i, w := range ws {
				require.Equal(t, []string{fmt.Sprintf("key/%05d=v", i)}, next(t, w, 1))
			}
			t.Logf("resumed, an event to each after %v", time.Since(begin))
			require.Eventually(t, func() bool {
				return maps.Equal(map[string]int{transport: 1}, c.transports())
			}, 2*time.Minute, time.Millisecond, "those on which they caught up end")
		})
	}
}

// inParallel calls f for 0 to n-1 from 128 goroutines.
func inParallel(t *testing.T, n int, f func(int) error) {
	t.Helper()
	var wg sync.WaitGroup
	var at atomic.Int64
	errs := make(chan error, 128)
	for range 128 {
		wg.Go(func() {
			for i := int(at.Add(1)) - 1; i < n; i = int(at.Add(1)) - 1 {
				if err := f(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	require.NoError(t, <-errs)
}

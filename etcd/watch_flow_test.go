package etcd_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestASlowConsumerDelaysNobodyElseAndKeepsToTheByteBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 256 << 10
		srv := etcdtest.Start(t)
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.WatchBufferBytes = budget })
		ctx := context.Background()
		var slow []*etcd.Watcher
		for range 20 {
			slow = append(slow, watch(t, c, etcd.Prefix("big/")))
		}
		quick := watch(t, c, etcd.Key("quick"))
		for i := range 300 {
			srv.Put("big/x", make([]byte, 2000))
			if i%10 == 0 {
				time.Sleep(10 * time.Millisecond)
				require.LessOrEqual(t, etcd.HeldBytes(c), int64(budget))
				begin := time.Now()
				srv.Put("quick", nil)
				require.Len(t, collect(t, quick, 1), 1)
				require.LessOrEqual(t, time.Since(begin), 50*time.Millisecond)
			}
		}
		want := expected(srv, etcd.Prefix("big/"), 1, srv.Revision())
		for _, w := range slow {
			var got []string
			for len(got) < len(want) {
				batch, err := w.Next(ctx)
				require.NoError(t, err)
				require.LessOrEqual(t, etcd.HeldBytes(c), int64(budget))
				for _, ev := range batch.Events {
					got = append(got, show(ev))
				}
			}
			require.Equal(t, want, got)
		}
	})
}

func TestAConsumerThatIsTooSlowForCompactionIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.WatchBufferBytes = 64 << 10 })
		w := watch(t, c, etcd.Key("a"))
		for range 100 {
			srv.Put("a", make([]byte, 1000))
		}
		time.Sleep(time.Second)
		require.NoError(t, srv.Compact(srv.Revision()))
		require.ErrorIs(t, ended(t, w), etcd.ErrCompacted)
	})
}

func TestACatchUpDoesNotHoldUpOtherWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		for range n {
			srv.Put("log", nil)
		}
		quick := watch(t, c, etcd.Key("quick"))
		past, err := c.Watch(context.Background(), etcd.Prefix("log"), etcd.FromRevision(1))
		require.NoError(t, err)
		require.Equal(t, 2, srv.WatchStreams(), "the one that catches up has its own connection")
		var done sync.WaitGroup
		done.Go(func() { collect(t, past, n) })
		for range 100 {
			time.Sleep(20 * time.Millisecond)
			begin := time.Now()
			srv.Put("quick", nil)
			require.Len(t, collect(t, quick, 1), 1)
			require.Zero(t, time.Since(begin))
		}
		done.Wait()
		time.Sleep(time.Second)
		require.Equal(t, 1, srv.WatchStreams(), "having caught up it moves to the shared one")
		srv.Put("log", []byte("next"))
		require.Equal(t, []string{fmt.Sprintf("put log=next@%d", srv.Revision())}, collect(t, past, 1))
	})
}

func TestARevisionTooLargeForTheBufferIsDeliveredInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		srv := etcdtest.Start(t)
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.WatchBufferBytes = 256 << 10 })
		var want []string
		for i := range n {
			srv.Put(fmt.Sprintf("k/%05d", i), nil)
			want = append(want, fmt.Sprintf("k/%05d", i))
		}
		w := watch(t, c, etcd.Prefix("k/"))
		ctx := context.Background()
		_, err := c.Delete(ctx, etcd.Prefix("k/"))
		require.NoError(t, err)
		rev := srv.Revision()
		var got []string
		parts := 0
		for len(got) < n {
			batch, err := w.Next(ctx)
			require.NoError(t, err)
			parts++
			for _, ev := range batch.Events {
				require.Equal(t, rev, ev.KV.ModRevision)
				got = append(got, ev.KV.Key)
			}
			if len(got) < n {
				require.Less(t, batch.Revision, rev, "not all of the revision has been delivered")
			} else {
				require.Equal(t, rev, batch.Revision)
			}
		}
		require.Equal(t, want, got)
		require.Greater(t, parts, 5)
	})
}

func TestARevisionCompactedAwayWhileItIsDeliveredInPartsIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.WatchBufferBytes = 64 << 10 })
		for i := range 500 {
			srv.Put(fmt.Sprintf("k/%05d", i), nil)
		}
		w := watch(t, c, etcd.Prefix("k/"))
		ctx := context.Background()
		_, err := c.Delete(ctx, etcd.Prefix("k/"))
		require.NoError(t, err)
		time.Sleep(time.Second)
		for range 3 {
			srv.Put("k/new", nil)
		}
		require.NoError(t, srv.Compact(srv.Revision()))
		require.ErrorIs(t, ended(t, w), etcd.ErrCompacted)
	})
}

func TestWatchesComeAndGoOnOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		var seen transportLog
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Hooks.Watch = seen.note })
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				key := fmt.Sprintf("k%d", i)
				for range 5 {
					w := watch(t, c, etcd.Key(key))
					srv.Put(key, nil)
					collect(t, w, 1)
					w.Close()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		require.Equal(t, []string{"websocket"}, seen.opened())
		require.Zero(t, srv.Watches())
		require.Equal(t, 1, srv.WatchStreams(), "the connection waits a while for the next watch")
		time.Sleep(time.Minute)
		require.Zero(t, srv.WatchStreams(), "but not for ever")
	})
}

func TestAWatchThatComesWhileTheConnectionOpensIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Watch = func(i etcd.WatchConnInfo) { time.Sleep(10 * time.Millisecond) }
		})
		second := make(chan *etcd.Watcher, 1)
		time.AfterFunc(5*time.Millisecond, func() {
			w, err := c.Watch(context.Background(), etcd.Key("b"))
			if err != nil {
				t.Error(err)
			}
			second <- w
		})
		first := watch(t, c, etcd.Key("a"))
		w := <-second
		require.NotNil(t, w)
		srv.Put("b", nil)
		require.Len(t, collect(t, w, 1), 1)
		first.Close()
		w.Close()
		synctest.Wait()
		require.Zero(t, srv.Watches())
	})
}

func TestTenThousandWatchesShareOneConnectionAndTakeLittleMemory(t *testing.T) {
	const n = 10_000
	srv := etcdtest.Start(t)
	url, err := srv.Listen()
	require.NoError(t, err)
	c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Endpoints, cfg.Dial = []string{url}, nil })
	watch(t, c, etcd.Key("first"))
	goroutines := runtime.NumGoroutine()

	before := heap()
	ws := make([]*etcd.Watcher, n)
	var wg sync.WaitGroup
	for from := range 100 {
		wg.Go(func() {
			for i := from; i < n; i += 100 {
				ws[i] = watch(t, c, etcd.Key(fmt.Sprintf("key/%05d", i)))
			}
		})
	}
	wg.Wait()
	each := (heap() - before) / n
	server := serverBytesPerWatch(t)
	t.Logf("%d bytes a watch, of which about %d are the server's", each, server)
	require.Less(t, each-server, int64(2<<10))
	require.Equal(t, 1, srv.WatchStreams())
	require.InDelta(t, goroutines, runtime.NumGoroutine(), 20, "a watch costs no goroutine")

	for i := range n {
		srv.Put(fmt.Sprintf("key/%05d", i), nil)
	}
	for _, w := range ws {
		collect(t, w, 1)
	}
	require.Equal(t, 1, srv.WatchStreams())
}

// heap is what lives on the heap.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// serverBytesPerWatch measures what a watch costs the in-memory server, which
// lives in the same process: over a bare WebSocket without a client.
func serverBytesPerWatch(t *testing.T) int64 {
	t.Helper()
	const n = 10_000
	srv := etcdtest.Start(t)
	conn := rawWatch(t, srv)
	before := heap()
	for i := range n {
		conn.create(fmt.Sprintf("key/%05d", i))
	}
	return (heap() - before) / n
}

func TestAnIdleClientOnlyPingsAndChecksTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		for i := range 50 {
			watch(t, c, etcd.Key(fmt.Sprint(i)))
		}
		before := srv.Requests()
		time.Sleep(time.Minute)
		after := srv.Requests()
		for path, n := range after {
			switch path {
			case "/v3/kv/range":
				require.InDelta(t, 30, n-before[path], 1, "one check every two seconds")
			default:
				require.Zero(t, n-before[path], path)
			}
		}
		require.Equal(t, 2, srv.Connections(), "that of the watches and one for the checks")
	})
}

package etcd_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestWatchesComeAndGoOnOneConnection(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
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
		t.Settle()
		require.Equal(t, []string{"websocket"}, seen.opened())
		require.Zero(t, srv.Watches())
		require.Equal(t, 1, srv.WatchStreams(), "the connection waits a while for the next watch")
		time.Sleep(time.Minute)
		require.Zero(t, srv.WatchStreams(), "but not for ever")
	})
}

func TestAConnectionThatDiedWhileNobodyNeededItIsNoticedSoon(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithMembers(3))
		c := newClient(t, srv)
		watch(t, c, etcd.Key("a")).Close()
		before := srv.Requests()
		time.Sleep(20 * time.Second)
		require.Equal(t, before, srv.Requests(), "without a watch there is nothing to check")
		for i := range 3 {
			srv.Pause(i)
			begin := time.Now()
			w := watch(t, c, etcd.Key("a"))
			require.Less(t, time.Since(begin), 8*time.Second)
			w.Close()
			srv.Resume(i)
			time.Sleep(10 * time.Second)
		}
	})
}

func TestAWatchThatComesWhileTheConnectionOpensIsAskedForOnce(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
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
		t.Settle()
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
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
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

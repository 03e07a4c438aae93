package etcd_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

func TestASlowConsumerDelaysNobodyElseAndKeepsToTheByteBudget(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		const budget = 256 << 10
		srv := t.Start()
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
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
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
	etcd.BothWays(t, func(t *etcd.World) {
		const n = 100_000
		srv := t.Start()
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
			require.LessOrEqual(t, time.Since(begin), t.Slack(1))
		}
		done.Wait()
		time.Sleep(time.Second)
		require.Equal(t, 1, srv.WatchStreams(), "having caught up it moves to the shared one")
		srv.Put("log", []byte("next"))
		require.Equal(t, []string{fmt.Sprintf("put log=next@%d", srv.Revision())}, collect(t, past, 1))
	})
}

func TestARevisionTooLargeForTheBufferIsDeliveredInParts(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		const n = 2000
		srv := t.Start()
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
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
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

package etcd_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// newClient gives a client of an in-memory server, inside or outside a bubble.
func newClient(t testing.TB, srv *etcdtest.Server, change ...func(*etcd.Config)) *etcd.Client {
	t.Helper()
	cfg := etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial}
	for _, f := range change {
		f(&cfg)
	}
	c, err := etcd.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestKeysAreWrittenReadAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		c := newClient(t, etcdtest.Start(t))

		put, err := c.Put(ctx, "a\x00b", []byte("one"))
		require.NoError(t, err)
		require.Nil(t, put.Prev)

		put, err = c.Put(ctx, "a\x00b", []byte("two"), etcd.WithPrev())
		require.NoError(t, err)
		require.Equal(t, "one", string(put.Prev.Value))

		got, err := c.Get(ctx, etcd.Key("a\x00b"))
		require.NoError(t, err)
		kv, ok := got.First()
		require.True(t, ok)
		require.Equal(t, etcd.KV{Key: "a\x00b", Value: []byte("two"), CreateRevision: put.Prev.CreateRevision, ModRevision: put.Header.Revision, Version: 2}, kv)

		del, err := c.Delete(ctx, etcd.Prefix("a"), etcd.WithPrev())
		require.NoError(t, err)
		require.EqualValues(t, 1, del.Deleted)
		require.Equal(t, "two", string(del.Prev[0].Value))

		got, err = c.Get(ctx, etcd.All())
		require.NoError(t, err)
		require.Empty(t, got.KVs)
	})
}

func TestManyCallersShareCommitsAndEachGetsItsOwnResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		srv := etcdtest.Start(t)
		var mu sync.Mutex
		var batches, calls int
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Batch = func(i etcd.BatchInfo) { mu.Lock(); batches++; calls += i.Calls; mu.Unlock() }
		})
		const n = 200
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				key, val := fmt.Sprintf("k/%03d", i), fmt.Appendf(nil, "v%d", i)
				_, err := c.Put(ctx, key, val)
				require.NoError(t, err)
				got, err := c.Get(ctx, etcd.Key(key))
				require.NoError(t, err)
				require.Len(t, got.KVs, 1)
				require.Equal(t, val, got.KVs[0].Value)
				res, err := c.Txn(ctx, etcd.Txn{
					If:   []etcd.Cmp{etcd.IfValue(etcd.Key(key), etcd.Equal, val)},
					Then: []etcd.Op{etcd.Delete(etcd.Key(key))},
				})
				require.NoError(t, err)
				require.True(t, res.Succeeded)
				require.EqualValues(t, 1, res.Results[0].Delete.Deleted)
			})
		}
		wg.Wait()
		require.Positive(t, batches)
		require.Greater(t, calls, 2*batches, "calls in batches")
		got, err := c.Get(ctx, etcd.All())
		require.NoError(t, err)
		require.Empty(t, got.KVs)
	})
}

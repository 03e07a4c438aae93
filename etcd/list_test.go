package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// listed gives the keys of a listing.
func listed(t *testing.T, c *etcd.Client, set etcd.KeySet, opts ...etcd.ListOption) []string {
	t.Helper()
	keys := []string{}
	for kv, err := range c.List(context.Background(), set, opts...) {
		require.NoError(t, err)
		keys = append(keys, kv.Key)
	}
	return keys
}

func TestAListingIsCompleteWhateverThePageSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		all := []string{}
		for i := range 23 {
			all = append(all, fmt.Sprintf("p/%02d", i))
			srv.Put(all[i], []byte("v"))
		}
		srv.Put("p", nil)
		srv.Put("p0", nil)
		for page := 1; page <= 25; page++ {
			require.Equal(t, all, listed(t, c, etcd.Prefix("p/"), etcd.PageSize(page)))
			require.Equal(t, all[3:7], listed(t, c, etcd.Range("p/03", "p/07"), etcd.PageSize(page)))
			require.Equal(t, append(all[20:23:23], "p0"), listed(t, c, etcd.From("p/20"), etcd.PageSize(page), etcd.ListKeysOnly()))
			require.Len(t, listed(t, c, etcd.All(), etcd.PageSize(page)), 25)
			require.Equal(t, []string{"p"}, listed(t, c, etcd.Key("p"), etcd.PageSize(page)))
			require.Empty(t, listed(t, c, etcd.Prefix("none"), etcd.PageSize(page)))
		}
	})
}

func TestAListingShowsOneRevisionWhileKeysChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		for i := range 10 {
			srv.Put(fmt.Sprint("k/", i), []byte("old"))
		}
		n := 0
		for kv, err := range c.List(context.Background(), etcd.Prefix("k/"), etcd.PageSize(2)) {
			require.NoError(t, err)
			require.Equal(t, "old", string(kv.Value))
			srv.Put(fmt.Sprint("k/", 9-n), []byte("new"))
			srv.Put(fmt.Sprint("k/", n, "+"), nil)
			n++
		}
		require.Equal(t, 10, n)
	})
}

func TestAListingEndsWithOneErrorWhenItsRevisionIsCompacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		for i := range 10 {
			srv.Put(fmt.Sprint("k/", i), nil)
		}
		var errs []error
		n := 0
		for _, err := range c.List(context.Background(), etcd.Prefix("k/"), etcd.PageSize(4)) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if n++; n == 1 {
				require.NoError(t, srv.Compact(srv.Put("k/0", nil)))
			}
		}
		require.Equal(t, 4, n)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], etcd.ErrCompacted)
	})
}

func TestAListingOfLargeValuesTakesSmallerPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.MaxReplyBytes = 300 << 10 })
		for i := range 20 {
			srv.Put(fmt.Sprint("k/", i), make([]byte, 100<<10))
		}
		require.Len(t, listed(t, c, etcd.Prefix("k/")), 20)
		srv.Put("k/huge", make([]byte, 400<<10))
		var last error
		for _, last = range c.List(context.Background(), etcd.Prefix("k/")) {
		}
		require.ErrorIs(t, last, etcd.ErrBadReply)
	})
}

func TestAListingThatMakesNoSenseIsOneError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, etcdtest.Start(t))
		for _, list := range []func(func(etcd.KV, error) bool){
			c.List(context.Background(), etcd.KeySet{}),
			c.List(context.Background(), etcd.All(), etcd.PageSize(0)),
			c.List(context.Background(), etcd.All(), etcd.ListAt(-1)),
		} {
			n := 0
			for _, err := range list {
				require.ErrorIs(t, err, etcd.ErrInvalid)
				n++
			}
			require.Equal(t, 1, n)
		}
	})
}

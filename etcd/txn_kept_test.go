package etcd_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// The in-memory server refuses these in words of its own, because the real one
// does not survive them.
func TestATransactionThatWouldCrashEtcdIsNotSent(t *testing.T) {
	keep := etcd.Put("b", nil, etcd.IgnoreValue())
	lease := etcd.Put("b", []byte("2"), etcd.IgnoreLease())
	nest := func(then, other []etcd.Op) etcd.Op { return etcd.Nest(etcd.Txn{Then: then, Else: other}) }
	ops := func(ops ...etcd.Op) []etcd.Op { return ops }
	for name, txn := range map[string]etcd.Txn{
		"value after all":          {Then: ops(etcd.Delete(etcd.All()), keep)},
		"lease after from":         {Then: ops(etcd.Delete(etcd.From("a")), lease)},
		"after a prefix of 0xff":   {Then: ops(etcd.Delete(etcd.Prefix("\xff")), etcd.Put("\xff\x01", nil, etcd.IgnoreValue()))},
		"after a bounded range":    {Then: ops(etcd.Delete(etcd.Range("a", "c")), keep)},
		"in the other branch":      {Else: ops(etcd.Delete(etcd.All()), keep)},
		"delete nested":            {Then: ops(nest(nil, ops(etcd.Delete(etcd.All()))), keep)},
		"put nested":               {Then: ops(etcd.Delete(etcd.All()), nest(ops(keep), nil))},
		"both nested":              {Then: ops(nest(ops(etcd.Delete(etcd.All())), nil), nest(nil, ops(lease)))},
		"nested in the same one":   {Then: ops(nest(ops(etcd.Delete(etcd.All()), keep), nil))},
		"behind what has no match": {Then: ops(etcd.Delete(etcd.Key("x")), etcd.Delete(etcd.All()), keep)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t)
				c := newClient(t, srv)
				_, err := c.Put(t.Context(), "b", []byte("1"))
				require.NoError(t, err)
				_, err = c.Txn(t.Context(), txn)
				require.ErrorIs(t, err, etcd.ErrInvalid)
				require.ErrorIs(t, err, etcd.ErrDuplicateKey)
				require.ErrorContains(t, err, "keeps its value or lease, but delete")
				require.True(t, etcd.SafeToRetry(err))
				require.Zero(t, srv.Requests()["/v3/kv/txn"])
			})
		})
	}
}

func TestATransactionThatKeepsWhatNobodyDeletedBeforeIsSent(t *testing.T) {
	keep := etcd.Put("b", nil, etcd.IgnoreValue())
	for name, txn := range map[string]etcd.Txn{
		"deletes another key":   {Then: []etcd.Op{etcd.Delete(etcd.From("c")), keep}},
		"deletes in the branch": {Then: []etcd.Op{keep}, Else: []etcd.Op{etcd.Delete(etcd.All())}},
		"deletes afterwards":    {Then: []etcd.Op{keep, etcd.Delete(etcd.From("a"))}},
		"puts a value":          {Then: []etcd.Op{etcd.Delete(etcd.From("a")), etcd.Put("b", []byte("2"))}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, etcdtest.Start(t))
				_, err := c.Put(t.Context(), "b", []byte("1"))
				require.NoError(t, err)
				_, err = c.Txn(t.Context(), txn)
				require.NoError(t, err)
			})
		})
	}
}

// Sharing a request must not bring together what no single call may hold.
func TestADeleteOfAllAndAPutThatKeepsAValueNeverShareARequest(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		_, err := w.c.Put(t.Context(), "b", []byte("1"), etcd.Alone())
		require.NoError(t, err)
		all := w.txn(etcd.Txn{Then: []etcd.Op{etcd.Delete(etcd.All())}})
		keep := w.txn(etcd.Txn{Then: []etcd.Op{etcd.Put("b", nil, etcd.IgnoreValue())}})
		w.leave()
		require.NoError(t, all.err)
		if keep.err != nil { // they left at the same moment, in any order
			require.ErrorIs(t, keep.err, etcd.ErrKeyNotFound)
		}
		require.Empty(t, w.sizes())
	})
}

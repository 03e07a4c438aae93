package etcd_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// requireWrittenOnce requires that each key was written exactly once.
func requireWrittenOnce(t testing.TB, srv *etcdtest.Server, prefix string, n int) {
	t.Helper()
	kvs := srv.KeyValues(prefix)
	require.Len(t, kvs, n)
	for _, kv := range kvs {
		require.EqualValues(t, 1, kv.Version, "key %q", kv.Key)
	}
}

func TestAMemberThatIsRefusedDoesNotHurtItsNeighbours(t *testing.T) {
	for _, n := range []int{1, 5, 12, 13, 40, 119} {
		t.Run(fmt.Sprint(n, " neighbours"), func(t *testing.T) {
			etcd.EveryWay(t, func(t *etcd.World) {
				w := newCrowd(t, nil)
				var good []*outcome
				for i := range n {
					good = append(good, w.put(fmt.Sprintf("good/%03d", i), "v"))
				}
				dead := &outcome{}
				w.call(func() { _, dead.err = w.c.Put(w.ctx, "bad/1", nil, etcd.WithLease(4711)) })
				w.leave()

				require.ErrorIs(t, dead.err, etcd.ErrLeaseNotFound)
				require.NotErrorIs(t, dead.err, etcd.ErrUnknownOutcome)
				require.ErrorContains(t, dead.err, `put "bad/1"`, "the error speaks of the call, not of the batch")
				for _, o := range good {
					require.NoError(t, o.err)
				}
				requireWrittenOnce(t, w.srv, "good/", n)
				require.Empty(t, w.srv.Keys("bad/"))
				sent := w.srv.Requests()["/v3/kv/txn"] + w.srv.Requests()["/v3/kv/put"] - etcd.WritesUnderWay
				require.LessOrEqual(t, sent, min(n+2, 24), "a large batch is split, not scattered")
			})
		})
	}
}

func TestAMemberWithoutPermissionIsRefusedAlone(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, []etcdtest.Option{etcdtest.WithAuth("root")}, func(cfg *etcd.Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "root", true })
		w.leave()
		root := w.c
		require.NoError(t, root.RoleAdd(w.ctx, "writer"))
		require.NoError(t, root.RoleGrant(w.ctx, "writer", etcd.Prefix("ok/"), etcd.ReadWrite))
		require.NoError(t, root.RoleGrant(w.ctx, "writer", etcd.Prefix("busy/"), etcd.ReadWrite))
		require.NoError(t, root.UserAdd(w.ctx, "anna", "secret"))
		require.NoError(t, root.UserGrantRole(w.ctx, "anna", "writer"))
		w.c = newClient(t, w.srv, func(cfg *etcd.Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "anna", "secret", true })
		w.fill()

		ok1, secret, ok2 := w.put("ok/1", ""), w.put("secret", ""), w.put("ok/2", "")
		var okRead, secretRead error
		w.call(func() { _, okRead = w.c.Get(w.ctx, etcd.Key("ok/1")) })
		w.call(func() { _, secretRead = w.c.Get(w.ctx, etcd.Key("secret")) })
		w.leave()
		require.NoError(t, ok1.err)
		require.NoError(t, ok2.err)
		require.NoError(t, okRead)
		require.ErrorIs(t, secret.err, etcd.ErrPermissionDenied)
		require.True(t, etcd.SafeToRetry(secret.err))
		require.ErrorIs(t, secretRead, etcd.ErrPermissionDenied)
		requireWrittenOnce(t, w.srv, "ok/", 2)
	})
}

func TestBatchesAreSmallerWhereTheServerTakesFewerOperations(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, []etcdtest.Option{etcdtest.WithMaxTxnOps(20)})
		round := func() (refused int) {
			w.batches = nil
			for i := range 100 {
				w.txn(etcd.Txn{Then: []etcd.Op{etcd.Put(fmt.Sprintf("k/%03d", i), nil), etcd.Put(fmt.Sprintf("l/%03d", i), nil)}})
			}
			w.leave()
			for _, n := range w.sizes() {
				if n+2 > 20 {
					refused++
				}
			}
			w.fill()
			return refused
		}
		for range 5 {
			round()
		}
		for range 2 {
			require.Zero(t, round(), "the limit is learnt: %v", w.sizes())
			require.Less(t, len(w.sizes()), 30, "and no smaller than need be: %v", w.sizes())
		}
		w.leave()
		for _, kv := range append(w.srv.KeyValues("k/"), w.srv.KeyValues("l/")...) {
			require.EqualValues(t, 7, kv.Version)
		}
	})
}

func TestATransactionOfTheLargestSizeTravelsAlone(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		ops := make([]etcd.Op, 0, 128)
		for i := range 128 {
			ops = append(ops, etcd.Put(fmt.Sprintf("big/%03d", i), nil))
		}
		a := w.put("k/1", "")
		big := w.txn(etcd.Txn{Then: ops})
		b := w.put("k/2", "")
		w.leave()
		require.NoError(t, a.err)
		require.NoError(t, b.err)
		require.NoError(t, big.err)
		requireWrittenOnce(t, w.srv, "big/", 128)
		require.Equal(t, []int{2}, w.sizes())
	})
}

func TestALargeTransactionDoesNotMakeTheBatchBeforeItTooLarge(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		for i := range 100 {
			w.put(fmt.Sprint("k/", i), "")
		}
		var ops []etcd.Op
		for i := range 50 {
			ops = append(ops, etcd.Put(fmt.Sprint("big/", i), nil))
		}
		big := w.txn(etcd.Txn{Then: ops})
		w.leave()
		require.NoError(t, big.err)
		require.Equal(t, []int{100}, w.sizes())
	})
}

func TestABatchHoldsAsManyCallsAsTheServerTakes(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		for i := range 200 {
			w.txn(etcd.Txn{If: []etcd.Cmp{etcd.Missing(etcd.Key(fmt.Sprint("k/", i)))}, Then: []etcd.Op{
				etcd.Put(fmt.Sprint("k/", i), nil), etcd.Put(fmt.Sprint("l/", i), nil), etcd.Put(fmt.Sprint("m/", i), nil),
			}})
		}
		w.leave()
		requireWrittenOnce(t, w.srv, "k/", 200)
		sizes := w.sizes() // what is left over leaves as one or as two, and may be noted first
		require.Equal(t, 125, slices.Max(sizes), "members and the operations of the largest make 128")
		require.LessOrEqual(t, len(sizes), 3)
	})
}

func TestLargeMembersDoNotMakeALargeBatch(t *testing.T) {
	for name, limit := range map[string]int{"usual limit": 1536 << 10, "low limit": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			etcd.EveryWay(t, func(t *etcd.World) {
				w := newCrowd(t, []etcdtest.Option{etcdtest.WithMaxRequestBytes(limit)})
				value := strings.Repeat("x", 100<<10)
				var all []*outcome
				for i := range 30 {
					all = append(all, w.put(fmt.Sprint("k/", i), value))
				}
				huge := w.put("huge", strings.Repeat("x", 2<<20))
				w.leave()
				for _, o := range all {
					require.NoError(t, o.err)
				}
				require.ErrorIs(t, huge.err, etcd.ErrTooLarge)
				require.True(t, etcd.SafeToRetry(huge.err))
				requireWrittenOnce(t, w.srv, "k/", 30)
				for _, b := range w.batches {
					require.LessOrEqual(t, b.Bytes, 1<<20+64)
				}
			})
		})
	}
}

func TestReadsShareARequestAndOneThatIsTooLargeFailsAlone(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil, func(cfg *etcd.Config) { cfg.MaxReplyBytes = 100 << 10 })
		w.srv.Put("small/1", []byte("1"))
		w.srv.Put("small/2", []byte("2"))
		w.srv.Put("huge", make([]byte, 200<<10))
		read := func(k string) *outcome {
			o := &outcome{}
			w.call(func() { _, o.err = w.c.Get(w.ctx, etcd.Key(k)) })
			return o
		}
		one, huge, two := read("small/1"), read("huge"), read("small/2")
		w.leave()
		require.NoError(t, one.err)
		require.NoError(t, two.err)
		require.ErrorIs(t, huge.err, etcd.ErrBadReply)
		require.NotErrorIs(t, huge.err, etcd.ErrUnknownOutcome)
		require.Equal(t, []int{3}, w.sizes())
	})
}

func TestWhatOnlyDeletesPassesWhileTheServerIsFull(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		w.leave()
		for i := range 6 {
			w.srv.Put(fmt.Sprint("d/", i), nil)
		}
		w.srv.SetNoSpace(true)
		_, err := w.c.Put(w.ctx, "first", nil)
		require.ErrorIs(t, err, etcd.ErrNoSpace)
		require.ErrorIs(t, err, etcd.ErrUnknownOutcome)

		busy := make(chan struct{})
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/deleterange", Hold: busy, Times: etcd.WritesUnderWay})
		for i := range etcd.WritesUnderWay {
			w.go_(func() { _, err := w.c.Delete(w.ctx, etcd.Key(fmt.Sprint("none/", i))); require.NoError(t, err) })
		}
		t.Settle()
		var deletes, puts []*outcome
		for i := range 6 {
			o := &outcome{}
			w.call(func() { _, o.err = w.c.Delete(w.ctx, etcd.Key(fmt.Sprint("d/", i))) })
			deletes = append(deletes, o)
			puts = append(puts, w.put(fmt.Sprint("p/", i), ""))
		}
		guarded := w.txn(etcd.Txn{If: []etcd.Cmp{etcd.Exists(etcd.Key("x"))}, Then: []etcd.Op{etcd.Put("p/then", nil)}, Else: []etcd.Op{etcd.Delete(etcd.Key("e"))}})
		w.busy = busy
		w.leave()
		for _, o := range deletes {
			require.NoError(t, o.err)
		}
		for _, o := range append(puts, guarded) {
			require.ErrorIs(t, o.err, etcd.ErrNoSpace)
		}
		require.Empty(t, w.srv.Keys("d/"))

		// A put that succeeds ends it.
		w.srv.SetNoSpace(false)
		_, err = w.c.Put(w.ctx, "again", nil)
		require.NoError(t, err)
		w.batches = nil
		w.fill()
		w.call(func() { _, _ = w.c.Delete(w.ctx, etcd.Key("d/1")) })
		w.put("p/1", "")
		w.leave()
		require.Equal(t, []int{2}, w.sizes())
	})
}

func TestWhatTheBatchWasToldWhenTheServerBecameFullIsUnknownOnce(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		w.srv.Put("d/1", nil)
		w.srv.Put("d/2", nil)
		del := func(k string) *outcome {
			o := &outcome{}
			w.call(func() { _, o.err = w.c.Delete(w.ctx, etcd.Key(k)) })
			return o
		}
		d, p := del("d/1"), w.put("p", "")
		w.srv.SetNoSpace(true)
		close(w.busy)
		t.Settle()
		require.ErrorIs(t, p.err, etcd.ErrNoSpace)
		require.True(t, d.err == nil || errors.Is(d.err, etcd.ErrUnknownOutcome), "%v", d.err)
		_, err := w.c.Delete(w.ctx, etcd.Key("d/1"))
		require.NoError(t, err)
		require.Equal(t, []string{"d/2"}, w.srv.Keys("d/"))
	})
}

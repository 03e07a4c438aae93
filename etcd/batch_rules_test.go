package etcd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

func TestCallsThatMeetNeverShareACommitAndOthersDo(t *testing.T) {
	key, put, get, del := etcd.Key, func(k string) etcd.Op { return etcd.Put(k, nil) }, etcd.Get, etcd.Delete
	then := func(ops ...etcd.Op) etcd.Txn { return etcd.Txn{Then: ops} }
	ifThen := func(c etcd.Cmp, ops ...etcd.Op) etcd.Txn { return etcd.Txn{If: []etcd.Cmp{c}, Then: ops} }
	ifElse := func(c etcd.Cmp, ops ...etcd.Op) etcd.Txn { return etcd.Txn{If: []etcd.Cmp{c}, Else: ops} }
	missing := func(k string) etcd.Cmp { return etcd.Missing(key(k)) }
	foot := func(s etcd.KeySet) []etcd.TxnOption { return []etcd.TxnOption{etcd.Footprint(s)} }

	for name, test := range map[string]struct {
		a, b  etcd.Txn
		foot  []etcd.TxnOption // of b
		share bool
	}{
		"two puts of one key":                             {a: then(put("k")), b: then(put("k"))},
		"a put and a delete of one key":                   {a: then(put("k")), b: then(del(key("k")))},
		"a delete and a put of one key":                   {a: then(del(key("k"))), b: then(put("k"))},
		"a put and a compare of one key":                  {a: then(put("k")), b: ifThen(missing("k"), put("x"))},
		"a compare and a put of one key":                  {a: ifThen(missing("k"), put("x")), b: then(put("k"))},
		"a put and a read of one key":                     {a: then(put("k")), b: then(put("x"), get(key("k")))},
		"a put and a put under an else":                   {a: then(put("k")), b: ifElse(missing("x"), put("k"))},
		"a put and a put under a then not taken":          {a: then(put("k")), b: ifThen(etcd.Exists(key("x")), put("k"))},
		"a put and a put in a nested transaction":         {a: then(put("k")), b: then(etcd.Nest(ifThen(missing("x"), put("k"))))},
		"a put and a compare in a nested transaction":     {a: then(put("k")), b: then(etcd.Nest(ifThen(missing("k"), put("x"))))},
		"a put and a compare inside a conjunction":        {a: then(put("k")), b: ifThen(etcd.AllOf(missing("x"), etcd.AllOf(missing("k"))), put("y"))},
		"a put and a delete of a range around it":         {a: then(put("r/1")), b: then(del(etcd.Range("r/", "r0")))},
		"a delete of a range and a put in it":             {a: then(del(etcd.Prefix("r/"))), b: then(put("r/1"))},
		"a put and a compare of a range around it":        {a: then(put("r/1")), b: ifThen(etcd.Missing(etcd.Prefix("r/")), put("x"))},
		"a read of a range and a put in it":               {a: then(put("x"), get(etcd.Prefix("r/"))), b: then(put("r/1"))},
		"a put and a read of all keys from one on":        {a: then(put("z")), b: then(put("a"), get(etcd.From("y")))},
		"two deletes of ranges that overlap":              {a: then(del(etcd.Range("r/1", "r/5"))), b: then(del(etcd.Range("r/4", "r/9")))},
		"a delete of all keys and a compare of one":       {a: then(del(etcd.All())), b: ifThen(missing("x"), put("x"))},
		"a put and an explicit footprint":                 {a: then(put("line/1")), b: then(put("x")), foot: foot(etcd.Prefix("line/"))},
		"puts of two keys":                                {a: then(put("k")), b: then(put("l")), share: true},
		"compares of one key":                             {a: ifThen(missing("k"), put("x")), b: ifThen(missing("k"), put("y")), share: true},
		"reads of ranges that overlap":                    {a: then(put("x"), get(etcd.Prefix("r/"))), b: then(put("y"), get(etcd.Prefix("r/1"))), share: true},
		"a put and a delete of the range that ends there": {a: then(put("r/5")), b: then(del(etcd.Range("r/1", "r/5"))), share: true},
		"a put and a range that begins behind it":         {a: then(put("r/1")), b: then(del(etcd.From("r/1\x00"))), share: true},
		"a transaction that meets only itself":            {a: ifThen(missing("k"), put("k")), b: ifThen(missing("l"), put("l"), get(key("l"))), share: true},
	} {
		t.Run(name, func(t *testing.T) {
			etcd.EveryWay(t, func(t *etcd.World) {
				w := newCrowd(t, nil)
				// Others around them, so that both leave in company whatever happens.
				before := w.put("other/1", "")
				a, b := w.txn(test.a), w.txn(test.b, test.foot...)
				after := w.put("other/2", "")
				w.leave()
				require.NoError(t, before.err)
				require.NoError(t, a.err)
				require.NoError(t, b.err)
				require.NoError(t, after.err)
				require.NotEmpty(t, w.sizes())
				if test.share {
					require.Equal(t, []int{4}, w.sizes())
				} else {
					require.Equal(t, []int{3}, w.sizes(), "the others travel together, and one of the two waits")
				}
			})
		})
	}
}

func TestWriteSkewDoesNotHappenBetweenMembersOfABatch(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		onCall := func(me, other string) *outcome {
			return w.txn(etcd.Txn{If: []etcd.Cmp{etcd.Missing(etcd.Key(other))}, Then: []etcd.Op{etcd.Put(me, nil)}})
		}
		a, b := onCall("off/alice", "off/bob"), onCall("off/bob", "off/alice")
		w.leave()
		require.NoError(t, a.err)
		require.NoError(t, b.err)
		require.NotEqual(t, a.txn.Succeeded, b.txn.Succeeded, "one of the two must stay on call")
	})
}

func TestACompareAndAReadOfOneMemberAgreeWhateverItsNeighboursPut(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		w.put("k", "v")
		b := w.txn(etcd.Txn{If: []etcd.Cmp{etcd.Missing(etcd.Key("k"))}, Then: []etcd.Op{etcd.Put("x", nil), etcd.Get(etcd.Key("k"))}})
		w.leave()
		require.NoError(t, b.err)
		if b.txn.Succeeded {
			require.Empty(t, b.txn.Results[1].Get.KVs, "the key was missing a moment ago")
		}
	})
}

func TestTwoAcquiresOfOneLockNeverHaveTheSamePlaceInLine(t *testing.T) {
	for name, opts := range map[string][]etcd.TxnOption{
		"the line is read":        nil,
		"the line is a footprint": {etcd.Footprint(etcd.Prefix("lock/"))},
	} {
		t.Run(name, func(t *testing.T) {
			etcd.EveryWay(t, func(t *etcd.World) {
				w := newCrowd(t, nil)
				acquire := func(me string) *outcome {
					then := []etcd.Op{etcd.Put("lock/"+me, nil)}
					if opts == nil {
						then = append(then, etcd.Get(etcd.Prefix("lock/")))
					}
					return w.txn(etcd.Txn{If: []etcd.Cmp{etcd.Missing(etcd.Key("lock/" + me))}, Then: then}, opts...)
				}
				outcomes := []*outcome{acquire("1"), acquire("2"), acquire("3")}
				w.leave()
				created := map[int64]bool{}
				for _, o := range outcomes {
					require.NoError(t, o.err)
				}
				for _, kv := range w.srv.KeyValues("lock/") {
					require.False(t, created[kv.CreateRevision], "create revision %d twice in one line", kv.CreateRevision)
					created[kv.CreateRevision] = true
				}
				require.Len(t, created, 3)
			})
		})
	}
}

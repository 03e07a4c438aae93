package etcdtest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every fact of this file was seen on a real etcd 3.7.3.

func put(key string) obj { return obj{"request_put": obj{"key": b64(key)}} }

func del(key, end string) obj {
	return obj{"request_delete_range": obj{"key": b64(key), "range_end": b64(end)}}
}

func then(ops ...obj) obj { return obj{"success": ops} }

func nest(ops ...obj) obj { return obj{"request_txn": then(ops...)} }

func TestAKeyIsWrittenOnceATxn(t *testing.T) {
	const duplicate = "etcdserver: duplicate key given in txn request"
	either := obj{"request_txn": obj{"success": []obj{put("a")}, "failure": []obj{put("a")}}}
	for name, tc := range map[string]struct {
		txn obj
		msg string
	}{
		"put twice":                      {then(put("a"), put("a")), duplicate},
		"put, then deleted":              {then(put("a"), del("a", "")), duplicate},
		"deleted, then put":              {then(del("a", "b"), put("a")), duplicate},
		"deleted twice":                  {then(del("a", ""), del("a", "")), ""},
		"put in both branches of one":    {then(either), ""},
		"put in a branch and beside":     {then(either, put("a")), duplicate},
		"put in two nested txns":         {then(nest(put("a")), nest(put("a"))), duplicate},
		"nested put, nested delete":      {then(nest(put("a")), nest(del("a", ""))), ""},
		"nested delete, nested put":      {then(nest(del("a", "")), nest(put("a"))), duplicate},
		"nested put, delete beside":      {then(nest(put("a")), del("a", "")), duplicate},
		"put, then deleted without end":  {then(put("a"), del("a", "\x00")), ""},
		"put outside the deleted range":  {then(del("b", "c"), put("a")), ""},
		"in a branch that is not taken":  {obj{"failure": []obj{put("a"), put("a")}}, duplicate},
		"an operation without any field": {then(obj{}), "etcdserver: key not found"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Start(t))
			if tc.msg == "" {
				c.call("/v3/kv/txn", tc.txn)
			} else {
				require.Equal(t, tc.msg, c.refused("/v3/kv/txn", tc.txn))
			}
		})
	}
}

func TestNestedTxnsMayHoldWhatTheirParentLeaves(t *testing.T) {
	c := newClient(t, Start(t))
	build := func(n, k int) obj {
		var outer []obj
		for i := range n {
			var inner []obj
			for j := range k {
				inner = append(inner, put(fmt.Sprint(i, ".", j)))
			}
			outer = append(outer, nest(inner...))
		}
		return then(outer...)
	}
	const tooMany = "etcdserver: too many operations in txn request"
	c.call("/v3/kv/txn", build(125, 3))
	c.call("/v3/kv/txn", build(64, 64))
	require.Equal(t, tooMany, c.refused("/v3/kv/txn", build(126, 3)))
	require.Equal(t, tooMany, c.refused("/v3/kv/txn", build(64, 65)))
	c.call("/v3/kv/txn", build(128, 0))
	require.Equal(t, tooMany, c.refused("/v3/kv/txn", build(129, 0)))
}

func TestComparesOfMissingKeys(t *testing.T) {
	c := newClient(t, Start(t))
	c.put("k1", "v")
	for name, tc := range map[string]struct {
		compare obj
		holds   bool
	}{
		"version 0 of a missing key":            {obj{"key": b64("x"), "target": "VERSION", "version": "0"}, true},
		"value of a missing key":                {obj{"key": b64("x"), "target": "VALUE", "value": ""}, false},
		"value of a missing key differs":        {obj{"key": b64("x"), "target": "VALUE", "result": "NOT_EQUAL", "value": b64("v")}, false},
		"lease of a missing key":                {obj{"key": b64("x"), "target": "LEASE", "lease": "0"}, true},
		"version 0 over an empty range":         {obj{"key": b64("x"), "range_end": b64("z"), "target": "VERSION", "version": "0"}, true},
		"version above 0 over an empty range":   {obj{"key": b64("x"), "range_end": b64("z"), "target": "VERSION", "result": "GREATER"}, false},
		"value over an empty range":             {obj{"key": b64("x"), "range_end": b64("z"), "target": "VALUE", "result": "NOT_EQUAL"}, false},
		"version 1 over a range with one key":   {obj{"key": b64("k"), "range_end": b64("l"), "target": "VERSION", "version": "1"}, true},
		"a value given for another target is 0": {obj{"key": b64("k1"), "target": "VERSION", "mod_revision": "1"}, false},
	} {
		rep := c.call("/v3/kv/txn", obj{"compare": []obj{tc.compare}})
		require.Equal(t, tc.holds, rep["succeeded"] == true, name)
	}
}

func TestARefusedTxnChangesNothing(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	txn := then(put("a"), obj{"request_put": obj{"key": b64("b"), "lease": "99"}})
	require.Equal(t, "etcdserver: requested lease not found", c.refused("/v3/kv/txn", txn))
	require.Equal(t, int64(1), s.Revision())
	require.Empty(t, s.Keys(""))
}

func TestATxnThatCrashesEtcdIsRefused(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	c.put("a", "v")
	txn := then(del("\x00", "\x00"), obj{"request_put": obj{"key": b64("a"), "ignore_value": true}})
	require.Contains(t, c.refused("/v3/kv/txn", txn), "crashes etcd")
	require.Equal(t, []string{"a"}, s.Keys(""))
}

func TestATxnIsOneRevisionAndItsEventsComeTogether(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	w := c.watch(obj{"create_request": obj{"key": "AA==", "range_end": "AA=="}})
	require.Equal(t, true, w.next()["created"])
	rep := c.call("/v3/kv/txn", then(put("b"), put("a"), nest(put("c"), del("d", "e"))))
	require.Equal(t, "2", revision(rep))
	require.Equal(t, []string{"+b=@2", "+a=@2", "+c=@2"}, w.events())
	var subs []int
	for _, ev := range s.Events() {
		require.Equal(t, int64(2), ev.Revision)
		subs = append(subs, ev.Sub)
	}
	require.Equal(t, []int{0, 1, 2}, subs)
}

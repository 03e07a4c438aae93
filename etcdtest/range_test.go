package etcdtest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every fact of this file was seen on a real etcd 3.7.3.

// keysOf returns the keys of a range reply in their order.
func keysOf(rep obj) string {
	s := ""
	for _, kv := range list(rep["kvs"]) {
		s += unb64(kv["key"])
	}
	return s
}

func TestRangesSortLimitAndCount(t *testing.T) {
	c := newClient(t, Start(t))
	for _, kv := range [][2]string{{"c", "1"}, {"a", "3"}, {"b", "2"}, {"c", "9"}} {
		c.put(kv[0], kv[1])
	}
	all := func(more obj) obj {
		more["key"], more["range_end"] = "AA==", "AA=="
		return c.call("/v3/kv/range", more)
	}
	require.Equal(t, "abc", keysOf(all(obj{})))
	require.Equal(t, "cba", keysOf(all(obj{"sort_order": "DESCEND"})))
	require.Equal(t, "cab", keysOf(all(obj{"sort_target": "CREATE"})), "a target alone sorts upwards")
	require.Equal(t, "cba", keysOf(all(obj{"sort_target": "MOD", "sort_order": 2})))
	require.Equal(t, "bac", keysOf(all(obj{"sort_target": "VALUE", "sort_order": "ASCEND"})))
	require.Equal(t, "c", keysOf(all(obj{"sort_target": "VERSION", "sort_order": "DESCEND", "limit": "1"})))

	limited := all(obj{"limit": "2"})
	require.Equal(t, "ab", keysOf(limited))
	require.Equal(t, true, limited["more"])
	require.Equal(t, "3", limited["count"], "the count is of the whole range")
	require.NotContains(t, all(obj{"limit": "3"}), "more")

	counted := all(obj{"count_only": true})
	require.Equal(t, "3", counted["count"])
	require.NotContains(t, counted, "kvs")
	filtered := all(obj{"min_mod_revision": "4"})
	require.Equal(t, "bc", keysOf(filtered))
	require.Equal(t, "3", filtered["count"], "a filter does not change the count")
	require.Equal(t, "ab", keysOf(all(obj{"min_create_revision": "3"})))
	require.Equal(t, "a", keysOf(all(obj{"max_mod_revision": "3"})))
	require.Equal(t, "c", keysOf(all(obj{"max_create_revision": "2"})))

	require.Equal(t, "bc", keysOf(c.call("/v3/kv/range", obj{"key": b64("b"), "range_end": "AA=="})))
	require.Empty(t, keysOf(c.call("/v3/kv/range", obj{"key": b64("c"), "range_end": b64("a")})))
	require.Equal(t, "etcdserver: invalid sort option", c.refused("/v3/kv/range", obj{"key": b64("a"), "sort_order": 7}))
}

func TestKeysOnlyHidesTheLeaseFrom37On(t *testing.T) {
	for version, hidden := range map[string]bool{"3.6.14": false, "3.7.3": true} {
		c := newClient(t, Start(t, WithVersion(version)))
		c.call("/v3/lease/grant", obj{"ID": "7", "TTL": "60"})
		c.call("/v3/kv/put", obj{"key": b64("a"), "value": b64("v"), "lease": "7"})
		kv := list(c.call("/v3/kv/range", obj{"key": b64("a"), "keys_only": true})["kvs"])[0]
		require.NotContains(t, kv, "value")
		_, shown := kv["lease"]
		require.Equal(t, hidden, !shown, version)
	}
}

func TestReadsOfThePastAndTheFuture(t *testing.T) {
	c := newClient(t, Start(t))
	for range 4 {
		c.put("a", "v")
	}
	require.Equal(t, "etcdserver: mvcc: required revision is a future revision",
		c.refused("/v3/kv/range", obj{"key": b64("a"), "revision": "6"}))
	require.Equal(t, "etcdserver: mvcc: required revision is a future revision",
		c.refused("/v3/kv/compaction", obj{"revision": "6"}))
	c.call("/v3/kv/compaction", obj{"revision": "3"})
	const compacted = "etcdserver: mvcc: required revision has been compacted"
	require.Equal(t, compacted, c.refused("/v3/kv/compaction", obj{"revision": "3"}))
	require.Equal(t, compacted, c.refused("/v3/kv/range", obj{"key": b64("a"), "revision": "2"}))
	old := c.call("/v3/kv/range", obj{"key": b64("a"), "revision": "3"})
	require.Equal(t, "2", list(old["kvs"])[0]["version"])
	require.Equal(t, "5", revision(old), "the header is of now")
	require.Equal(t, "4", list(c.call("/v3/kv/range", obj{"key": b64("a"), "revision": "-1"})["kvs"])[0]["version"])
}

func TestPutsKeepWhatTheyAreToldTo(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	require.Equal(t, "etcdserver: key not found", c.refused("/v3/kv/put", obj{"key": b64("a"), "ignore_value": true}))
	c.call("/v3/lease/grant", obj{"ID": "7", "TTL": "60"})
	c.call("/v3/kv/put", obj{"key": b64("a"), "value": b64("v"), "lease": "7"})
	rep := c.call("/v3/kv/put", obj{"key": b64("a"), "value": b64("w"), "ignore_lease": true, "prev_kv": true})
	require.Equal(t, b64("v"), rep["prev_kv"].(obj)["value"])
	kv, _ := s.Get("a")
	require.Equal(t, int64(7), kv.Lease)
	c.call("/v3/kv/put", obj{"key": b64("a"), "ignore_value": true})
	kv, _ = s.Get("a")
	require.Equal(t, "w", string(kv.Value))
	require.Zero(t, kv.Lease)
	require.Empty(t, s.Leases()[0].Keys, "a put without the lease takes the key off it")
	require.Equal(t, "etcdserver: value is provided", c.refused("/v3/kv/put", obj{"key": b64("a"), "value": b64("x"), "ignore_value": true}))
	require.Equal(t, "etcdserver: lease is provided", c.refused("/v3/kv/put", obj{"key": b64("a"), "lease": "7", "ignore_lease": true}))
}

func TestRequestsAreReadAsTheGatewayReadsThem(t *testing.T) {
	for name, tc := range map[string]struct {
		version string
		body    string
		status  int
	}{
		"camel case names":              {"3.7.3", `{"key":"YQ==","rangeEnd":"Yg==","keysOnly":true}`, http.StatusOK},
		"unknown fields":                {"3.7.3", `{"key":"YQ==","Key":5,"nonsense":{"a":[1]}}`, http.StatusOK},
		"null is unset":                 {"3.7.3", `{"key":"YQ==","limit":null}`, http.StatusOK},
		"numbers and strings":           {"3.7.3", `{"key":"YQ==","limit":5,"revision":"0"}`, http.StatusOK},
		"an unknown name of an enum":    {"3.7.3", `{"key":"YQ==","sort_order":"SIDEWAYS"}`, http.StatusOK},
		"base64 without padding":        {"3.7.3", `{"key":"YQ"}`, http.StatusOK},
		"base64 without padding, 3.5":   {"3.5.35", `{"key":"YQ"}`, http.StatusBadRequest},
		"no base64":                     {"3.7.3", `{"key":"!"}`, http.StatusBadRequest},
		"a number with a fraction":      {"3.7.3", `{"key":"YQ==","limit":1.5}`, http.StatusBadRequest},
		"a string for a bool":           {"3.7.3", `{"key":"YQ==","serializable":"true"}`, http.StatusBadRequest},
		"a field twice":                 {"3.7.3", `{"key":"YQ==","key":"YQ=="}`, http.StatusBadRequest},
		"a list":                        {"3.7.3", `[]`, http.StatusBadRequest},
		"half an object":                {"3.7.3", `{"key":"YQ==`, http.StatusBadRequest},
		"something after the object":    {"3.7.3", `{"key":"YQ=="} and more`, http.StatusOK},
		"nothing, so no key":            {"3.7.3", ``, http.StatusBadRequest},
		"the wrong case, so no key":     {"3.7.3", `{"KEY":"YQ=="}`, http.StatusBadRequest},
		"more than the transport takes": {"3.7.3", `{"key":"YQ==","range_end":"` + b64(string(make([]byte, 3<<20))) + `"}`, http.StatusTooManyRequests},
	} {
		c := newClient(t, Start(t, WithVersion(tc.version)))
		status, o, err := c.try("/v3/kv/range", tc.body)
		require.NoError(t, err, name)
		require.Equal(t, tc.status, status, "%s: %v", name, o)
	}
}

func TestTwoMembersOfAOneofAreRefused(t *testing.T) {
	c := newClient(t, Start(t))
	require.Contains(t, c.refused("/v3/kv/txn", obj{"success": []obj{
		{"request_put": obj{"key": b64("a")}, "request_range": obj{"key": b64("a")}},
	}}), "oneof")
	require.Contains(t, c.refused("/v3/kv/txn", obj{"compare": []obj{
		{"key": b64("a"), "version": "1", "mod_revision": "1"},
	}}), "oneof")
}

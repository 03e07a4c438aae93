package conformance

import (
	"fmt"
	"testing"
)

var putFacts = topic{name: "puts", facts: []fact{
	{"a key counts its versions and remembers its creation", func(t *testing.T, g *gateway) {
		first := g.put(t, "k", "1")
		second := g.put(t, "k", "2")
		if second != first+1 {
			t.Errorf("revisions %d and %d", first, second)
		}
		kv := g.get(t, "k")
		if kv.at("create_revision").int64(t) != first || kv.at("mod_revision").int64(t) != second || kv.at("version").int64(t) != 2 {
			t.Errorf("the key is %s", kv)
		}
		g.delete(t, "k")
		third := g.put(t, "k", "3")
		kv = g.get(t, "k")
		if kv.at("create_revision").int64(t) != third || kv.at("version").int64(t) != 1 {
			t.Errorf("after a deletion the key is %s", kv)
		}
	}},
	{"prev_kv returns what was there, and nothing for a new key", func(t *testing.T, g *gateway) {
		body := o{"key": g.key("k"), "value": b64("1"), "prev_kv": true}
		if n := g.post(t, "/v3/kv/put", body); n.at("prev_kv").exists() {
			t.Errorf("a new key had a value: %s", n)
		}
		body["value"] = b64("2")
		if n := g.post(t, "/v3/kv/put", body); n.at("prev_kv", "value").bytes(t) != "1" || n.at("prev_kv", "version").int64(t) != 1 {
			t.Errorf("the previous value is not there: %s", n)
		}
	}},
	{"ignore_value keeps the value, and needs a key and no value", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/put", o{"key": g.key("k"), "ignore_value": true}, 400, 3, "etcdserver: key not found")
		g.put(t, "k", "kept")
		g.refused(t, "/v3/kv/put", o{"key": g.key("k"), "ignore_value": true, "value": b64("x")}, 400, 3, "etcdserver: value is provided")
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "ignore_value": true})
		g.value(t, "k", "kept")
		if v := g.get(t, "k").at("version").int64(t); v != 2 {
			t.Errorf("version is %d", v)
		}
	}},
	{"ignore_lease keeps the lease, and needs a key and no lease", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/put", o{"key": g.key("k"), "ignore_lease": true}, 400, 3, "etcdserver: key not found")
		id := g.grant(t, 100)
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "lease": id})
		g.refused(t, "/v3/kv/put", o{"key": g.key("k"), "ignore_lease": true, "lease": id}, 400, 3, "etcdserver: lease is provided")
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "ignore_lease": true, "value": b64("2")})
		if kv := g.get(t, "k"); !kv.at("lease").is(id) || kv.at("value").bytes(t) != "2" {
			t.Errorf("the key is %s", kv)
		}
	}},
}}

var deleteFacts = topic{name: "deletes", facts: []fact{
	{"a delete counts what it deleted, and nothing deleted is no new revision", func(t *testing.T, g *gateway) {
		before := g.put(t, "k", "1")
		n := g.post(t, "/v3/kv/deleterange", o{"key": g.key("no")})
		if n.at("deleted").exists() || revision(t, n) != before {
			t.Errorf("deleting nothing: %s", n)
		}
		n = g.post(t, "/v3/kv/deleterange", o{"key": g.key("k"), "prev_kv": true})
		if n.at("deleted").int64(t) != 1 || revision(t, n) != before+1 || n.at("prev_kvs", 0, "value").bytes(t) != "1" {
			t.Errorf("deleting one: %s", n)
		}
		g.value(t, "k", "-")
	}},
	{"a range is deleted in one revision", func(t *testing.T, g *gateway) {
		g.put(t, "a", "")
		g.put(t, "b", "")
		last := g.put(t, "c", "")
		n := g.post(t, "/v3/kv/deleterange", o{"key": g.key("a"), "range_end": g.key("c")})
		if n.at("deleted").int64(t) != 2 || revision(t, n) != last+1 {
			t.Errorf("the deletion is %s", n)
		}
		if got := g.keys(t, g.post(t, "/v3/kv/range", g.own(nil))); got != "c" {
			t.Errorf("left are %s", got)
		}
	}},
}}

var rangeFacts = topic{name: "ranges", facts: []fact{
	{"the end is exclusive and keys come in byte order", func(t *testing.T, g *gateway) {
		for _, k := range []string{"b", "a", "c", "\xff", "B", ""} {
			g.put(t, k, "")
		}
		if got := g.keys(t, g.post(t, "/v3/kv/range", g.own(nil))); got != " B a b c \xff" {
			t.Errorf("all are %q", got)
		}
		n := g.post(t, "/v3/kv/range", o{"key": g.key("a"), "range_end": g.key("c")})
		if got := g.keys(t, n); got != "a b" || n.at("count").int64(t) != 2 {
			t.Errorf("from a to c are %q", got)
		}
		for _, end := range []string{"a", "B"} {
			if n := g.post(t, "/v3/kv/range", o{"key": g.key("a"), "range_end": g.key(end)}); n.at("kvs").exists() {
				t.Errorf("from a to %s: %s", end, n)
			}
		}
	}},
	{"the end of one zero byte stands for all that follow", func(t *testing.T, g *gateway) {
		g.put(t, "a", "")
		g.put(t, "b", "")
		n := g.post(t, "/v3/kv/range", o{"key": g.key("b"), "range_end": "AA==", "limit": 1})
		if got := g.keys(t, n); got != "b" {
			t.Errorf("from b on are %q", got)
		}
		all := g.post(t, "/v3/kv/range", o{"key": "AA==", "range_end": "AA==", "count_only": true}).at("count").int64(t)
		from := g.post(t, "/v3/kv/range", o{"key": g.key("a"), "range_end": "AA==", "count_only": true}).at("count").int64(t)
		if all < from || from < 2 {
			t.Errorf("all are %d, from a on %d", all, from)
		}
	}},
	{"a limit says that there is more, and counts all", func(t *testing.T, g *gateway) {
		for i := range 5 {
			g.put(t, fmt.Sprint(i), "")
		}
		for limit, more := range map[int]bool{1: true, 4: true, 5: false, 6: false, 0: false} {
			n := g.post(t, "/v3/kv/range", g.own(o{"limit": limit}))
			want := limit
			if limit == 0 || limit > 5 {
				want = 5
			}
			if n.at("kvs").length() != want || n.at("more").isTrue() != more || n.at("count").int64(t) != 5 {
				t.Errorf("limit %d: %s", limit, n)
			}
		}
	}},
	{"keys_only leaves out values and keeps the rest, count_only leaves out the keys", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "v")
		n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "keys_only": true})
		if kv := n.at("kvs", 0); kv.at("value").exists() || kv.at("mod_revision").int64(t) != rev {
			t.Errorf("keys only: %s", n)
		}
		n = g.post(t, "/v3/kv/range", o{"key": g.key("k"), "count_only": true})
		if n.at("kvs").exists() || n.at("count").int64(t) != 1 {
			t.Errorf("count only: %s", n)
		}
	}},
	{"an old revision shows the past with the header of the present", func(t *testing.T, g *gateway) {
		old := g.put(t, "k", "old")
		now := g.put(t, "k", "new")
		n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "revision": old})
		if n.at("kvs", 0, "value").bytes(t) != "old" || revision(t, n) != now {
			t.Errorf("the past is %s", n)
		}
		gone := g.delete(t, "k")
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "revision": now}); n.at("kvs", 0, "value").bytes(t) != "new" {
			t.Errorf("before the deletion: %s", n)
		}
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "revision": gone}); n.at("kvs").exists() {
			t.Errorf("at the deletion: %s", n)
		}
	}},
	{"bounds on revisions filter the keys but not the count", func(t *testing.T, g *gateway) {
		g.put(t, "a", "")
		b := g.put(t, "b", "")
		c := g.put(t, "c", "")
		d := g.put(t, "a", "")
		for _, bounds := range []struct {
			more o
			want string
		}{
			{o{"min_mod_revision": c}, "a c"},
			{o{"max_mod_revision": c}, "b c"},
			{o{"min_create_revision": b}, "b c"},
			{o{"max_create_revision": b}, "a b"},
			{o{"min_mod_revision": c, "max_mod_revision": c}, "c"},
			{o{"min_mod_revision": d + 1}, ""},
		} {
			n := g.post(t, "/v3/kv/range", g.own(bounds.more))
			if got := g.keys(t, n); got != bounds.want || n.at("count").int64(t) != 3 {
				t.Errorf("%v: %q, count %s", bounds.more, got, n.at("count"))
			}
		}
	}},
	{"a bounded and limited range says more if the bounds left more than the limit", func(t *testing.T, g *gateway) {
		g.put(t, "a", "")
		rev := g.put(t, "b", "")
		g.put(t, "c", "")
		n := g.post(t, "/v3/kv/range", g.own(o{"min_mod_revision": rev, "limit": 1}))
		if got := g.keys(t, n); got != "b" || !n.at("more").isTrue() {
			t.Errorf("limit 1: %s", n)
		}
		n = g.post(t, "/v3/kv/range", g.own(o{"min_mod_revision": rev, "limit": 2}))
		if got := g.keys(t, n); got != "b c" || n.at("more").exists() {
			t.Errorf("limit 2: %s", n)
		}
	}},
	{"a serializable range reads on a healthy member what was written", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "serializable": true}); n.at("kvs").length() != 1 {
			t.Errorf("read %s", n)
		}
	}},
}}

var sortFacts = topic{name: "sorting", facts: []fact{
	{"by each target in both orders", func(t *testing.T, g *gateway) {
		g.put(t, "a", "3")
		g.put(t, "b", "1")
		g.put(t, "c", "2")
		g.put(t, "b", "1")
		g.put(t, "b", "1") // versions: a 1, b 3, c 1; mod: a, c, b; create: a, b, c
		g.put(t, "c", "2") // versions: a 1, b 3, c 2; mod: a, b, c
		g.put(t, "a", "3")
		g.put(t, "a", "3")
		g.put(t, "a", "3") // versions: a 4, b 3, c 2; mod: b, c, a
		for target, want := range map[string]string{
			"KEY": "a b c", "VERSION": "c b a", "CREATE": "a b c", "MOD": "b c a", "VALUE": "b c a",
		} {
			n := g.post(t, "/v3/kv/range", g.own(o{"sort_target": target, "sort_order": "ASCEND"}))
			if got := g.keys(t, n); got != want {
				t.Errorf("%s ascending: %s, want %s", target, got, want)
			}
			n = g.post(t, "/v3/kv/range", g.own(o{"sort_target": target, "sort_order": "DESCEND"}))
			if got := g.keys(t, n); got != reversed(want) {
				t.Errorf("%s descending: %s, want %s", target, got, reversed(want))
			}
		}
	}},
	{"a limit takes the first after sorting", func(t *testing.T, g *gateway) {
		for _, k := range []string{"a", "b", "c"} {
			g.put(t, k, "")
		}
		n := g.post(t, "/v3/kv/range", g.own(o{"sort_target": "CREATE", "sort_order": "DESCEND", "limit": 1}))
		if got := g.keys(t, n); got != "c" || !n.at("more").isTrue() {
			t.Errorf("the last created is %s: %s", got, n)
		}
	}},
	{"a target other than the key sorts ascending where no order is given", func(t *testing.T, g *gateway) {
		g.put(t, "a", "2")
		g.put(t, "b", "1")
		if got := g.keys(t, g.post(t, "/v3/kv/range", g.own(o{"sort_target": "VALUE"}))); got != "b a" {
			t.Errorf("by value: %s", got)
		}
	}},
	{"an order or target there is not is refused since 3.6", func(t *testing.T, g *gateway) {
		g.put(t, "k", "")
		for _, more := range []o{{"sort_order": 9}, {"sort_target": 9}} {
			if g.minor < 6 {
				// Before, any order is taken, and such a target is a panic:
				// the process ends.
				if n := g.post(t, "/v3/kv/range", g.own(o{"sort_order": 9})); n.at("kvs").length() != 1 {
					t.Errorf("%v: %s", more, n)
				}
				continue
			}
			g.refused(t, "/v3/kv/range", g.own(more), 400, 3, "etcdserver: invalid sort option")
		}
	}},
}}

// reversed turns "a b c" around; the names are one letter long.
func reversed(s string) string {
	out := []byte(s)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

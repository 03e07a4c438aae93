package conformance

import (
	"fmt"
	"testing"
)

const (
	tooManyOps   = "etcdserver: too many operations in txn request"
	duplicateKey = "etcdserver: duplicate key given in txn request"
)

func (g *gateway) opPut(name, value string) o {
	return o{"request_put": o{"key": g.key(name), "value": b64(value)}}
}

func (g *gateway) opDelete(name string) o {
	return o{"request_delete_range": o{"key": g.key(name)}}
}

func (g *gateway) opRange(name string) o {
	return o{"request_range": o{"key": g.key(name)}}
}

// puts returns n puts of distinct keys.
func (g *gateway) puts(prefix string, n int) a {
	out := make(a, n)
	for i := range out {
		out[i] = g.opPut(fmt.Sprintf("%s%04d", prefix, i), "v")
	}
	return out
}

func (g *gateway) txn(t testing.TB, body o) node {
	t.Helper()
	return g.post(t, "/v3/kv/txn", body)
}

// succeeds runs a txn of compares alone.
func (g *gateway) succeeds(t testing.TB, compares ...any) bool {
	t.Helper()
	return g.txn(t, o{"compare": a(compares)}).at("succeeded").isTrue()
}

var txnFacts = topic{name: "txns", facts: []fact{
	{"an empty txn succeeds and changes nothing", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "")
		if n := g.txn(t, o{}); !n.at("succeeded").isTrue() || revision(t, n) != rev {
			t.Errorf("the reply is %s", n)
		}
	}},
	{"one branch runs, in one revision, and answers in order", func(t *testing.T, g *gateway) {
		rev := g.put(t, "guard", "")
		body := o{
			"compare": a{o{"key": g.key("guard"), "target": "MOD", "mod_revision": rev}},
			"success": a{g.opPut("a", "1"), g.opPut("b", "2"), g.opRange("a"), g.opDelete("guard")},
			"failure": a{g.opPut("c", "3")},
		}
		n := g.txn(t, body)
		r := n.at("responses")
		if !n.at("succeeded").isTrue() || r.length() != 4 || revision(t, n) != rev+1 {
			t.Fatalf("the reply is %s", n)
		}
		if !r.at(0, "response_put").exists() || !r.at(1, "response_put").exists() ||
			r.at(2, "response_range", "kvs", 0, "value").bytes(t) != "1" ||
			r.at(3, "response_delete_range", "deleted").int64(t) != 1 {
			t.Errorf("the responses are %s", r)
		}
		for _, k := range []string{"a", "b"} {
			if got := g.get(t, k).at("mod_revision").int64(t); got != rev+1 {
				t.Errorf("%s has revision %d", k, got)
			}
		}
		g.value(t, "c", "-")
		n = g.txn(t, body)
		if n.at("succeeded").exists() || n.at("responses").length() != 1 {
			t.Errorf("the other branch: %s", n)
		}
		g.value(t, "c", "3")
	}},
	{"a later range sees an earlier write of the txn", func(t *testing.T, g *gateway) {
		g.put(t, "k", "old")
		g.put(t, "gone", "")
		n := g.txn(t, o{"success": a{
			g.opRange("k"), g.opPut("k", "new"), g.opRange("k"), g.opRange("gone"), g.opDelete("gone"), g.opRange("gone"),
		}})
		r := n.at("responses")
		if r.at(0, "response_range", "kvs", 0, "value").bytes(t) != "old" ||
			r.at(2, "response_range", "kvs", 0, "value").bytes(t) != "new" ||
			!r.at(3, "response_range", "kvs").exists() || r.at(5, "response_range", "kvs").exists() {
			t.Errorf("the responses are %s", r)
		}
	}},
	{"the ranges of a txn that writes report the revision it makes", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "")
		n := g.txn(t, o{"success": a{g.opRange("k"), g.opPut("k", "")}})
		r := n.at("responses")
		if got := revision(t, r.at(1, "response_put")); got != rev+1 {
			t.Errorf("the put reports %d after %d", got, rev)
		}
		if got := revision(t, n); got != rev+1 {
			t.Errorf("the txn reports %d after %d", got, rev)
		}
	}},
	{"a txn that only reads makes no revision", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "")
		if n := g.txn(t, o{"success": a{g.opRange("k"), g.opDelete("no")}}); revision(t, n) != rev {
			t.Errorf("revision was %d: %s", rev, n)
		}
	}},
	{"a key put twice is refused, in either branch", func(t *testing.T, g *gateway) {
		for _, branch := range []string{"success", "failure"} {
			g.refused(t, "/v3/kv/txn", o{branch: a{g.opPut("k", "1"), g.opPut("k", "2")}}, 400, 3, duplicateKey)
		}
		g.value(t, "k", "-")
	}},
	{"a key put in both branches is accepted", func(t *testing.T, g *gateway) {
		g.txn(t, o{"success": a{g.opPut("k", "1")}, "failure": a{g.opPut("k", "2")}})
		g.value(t, "k", "1")
	}},
	{"a key put and deleted is refused, whichever comes first", func(t *testing.T, g *gateway) {
		g.put(t, "k", "1")
		everything := o{"request_delete_range": g.own(nil)}
		for _, ops := range []a{
			{g.opPut("k", "2"), g.opDelete("k")}, {g.opDelete("k"), g.opPut("k", "2")},
			{g.opPut("k", "2"), everything}, {everything, g.opPut("k", "2")},
		} {
			g.refused(t, "/v3/kv/txn", o{"success": ops}, 400, 3, duplicateKey)
		}
		g.value(t, "k", "1")
	}},
	{"a key deleted twice is accepted and counted once", func(t *testing.T, g *gateway) {
		g.put(t, "k", "")
		n := g.txn(t, o{"success": a{g.opDelete("k"), g.opDelete("k")}})
		if r := n.at("responses"); r.at(0, "response_delete_range", "deleted").int64(t) != 1 || r.at(1, "response_delete_range", "deleted").exists() {
			t.Errorf("the responses are %s", r)
		}
	}},
	{"128 operations pass and 129 do not, whichever list they are in", func(t *testing.T, g *gateway) {
		g.txn(t, o{"success": g.puts("p", 128), "failure": g.puts("q", 128)})
		g.refused(t, "/v3/kv/txn", o{"success": g.puts("r", 129)}, 400, 3, tooManyOps)
		g.refused(t, "/v3/kv/txn", o{"failure": g.puts("r", 129)}, 400, 3, tooManyOps)
		compares := make(a, 129)
		for i := range compares {
			compares[i] = o{"key": g.key(fmt.Sprint(i)), "target": "VERSION"}
		}
		if n := g.txn(t, o{"compare": compares[:128]}); !n.at("succeeded").isTrue() {
			t.Errorf("128 compares of missing keys: %s", n)
		}
		g.refused(t, "/v3/kv/txn", o{"compare": compares}, 400, 3, tooManyOps)
		g.value(t, "r0000", "-")
	}},
	{"what is wrong in a branch that is not taken refuses the txn", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/txn", o{"success": a{g.opPut("k", "")}, "failure": a{o{"request_put": o{}}}}, 400, 3, "etcdserver: key is not provided")
		g.value(t, "k", "-")
	}},
	{"an operation that is none of the four is refused", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/txn", o{"success": a{o{"request_get": o{"key": g.key("k")}}}}, 400, 3, "etcdserver: key not found")
	}},
	{"a put that cannot be done undoes nothing because it is checked first", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/txn", o{"success": a{g.opPut("a", ""), o{"request_put": o{"key": g.key("b"), "lease": "424242"}}}},
			404, 5, "etcdserver: requested lease not found")
		g.value(t, "a", "-")
		g.refused(t, "/v3/kv/txn", o{"success": a{g.opPut("a", ""), o{"request_put": o{"key": g.key("b"), "ignore_value": true}}}},
			400, 3, "etcdserver: key not found")
		g.value(t, "a", "-")
	}},
}}

// nested is a txn of one operation as an operation.
func nested(op o) o { return o{"request_txn": o{"success": a{op}}} }

var nestedFacts = topic{name: "nested txns", facts: []fact{
	{"N nested txns of k operations pass where N + k is at most 128", func(t *testing.T, g *gateway) {
		for i, c := range []struct {
			n, k int
			ok   bool
		}{{125, 3, true}, {125, 4, false}, {64, 64, true}, {64, 65, false}, {127, 1, true}, {128, 1, false}, {1, 127, true}, {1, 128, false}} {
			siblings := make(a, c.n)
			for j := range siblings {
				siblings[j] = o{"request_txn": o{"success": g.puts(fmt.Sprintf("%d-%d-", i, j), c.k)}}
			}
			if c.ok {
				n := g.txn(t, o{"success": siblings})
				if got := n.at("responses", c.n-1, "response_txn", "responses").length(); got != c.k {
					t.Errorf("%d x %d: the last has %d responses", c.n, c.k, got)
				}
			} else {
				g.refused(t, "/v3/kv/txn", o{"success": siblings}, 400, 3, tooManyOps)
			}
		}
	}},
	{"each nested txn succeeds or fails by its own compares", func(t *testing.T, g *gateway) {
		g.put(t, "yes", "")
		exists := func(k string) a {
			return a{o{"key": g.key(k), "target": "VERSION", "result": "GREATER", "version": "0"}}
		}
		n := g.txn(t, o{"success": a{
			o{"request_txn": o{"compare": exists("yes"), "success": a{g.opPut("a", "1")}}},
			o{"request_txn": o{"compare": exists("no"), "success": a{g.opPut("b", "1")}, "failure": a{g.opPut("c", "1")}}},
		}})
		r := n.at("responses")
		if !n.at("succeeded").isTrue() || !r.at(0, "response_txn", "succeeded").isTrue() || r.at(1, "response_txn", "succeeded").exists() {
			t.Errorf("the reply is %s", n)
		}
		g.value(t, "a", "1")
		g.value(t, "b", "-")
		g.value(t, "c", "1")
		if g.get(t, "a").at("mod_revision").text() != g.get(t, "c").at("mod_revision").text() {
			t.Error("siblings have different revisions")
		}
	}},
	{"all compares see the state before the whole txn", func(t *testing.T, g *gateway) {
		absent := a{o{"key": g.key("lock"), "target": "CREATE", "create_revision": "0"}}
		acquire := func(holder string) o {
			return o{"request_txn": o{"compare": absent, "success": a{g.opPut(holder, "holds")}}}
		}
		// Both find the lock free, because neither sees what the first put.
		n := g.txn(t, o{"success": a{g.opPut("lock", ""), acquire("one"), acquire("two")}})
		for i := 1; i <= 2; i++ {
			if !n.at("responses", i, "response_txn", "succeeded").isTrue() {
				t.Errorf("nested %d did not see the state before: %s", i, n)
			}
		}
	}},
	{"a sibling's range sees a put made before it", func(t *testing.T, g *gateway) {
		n := g.txn(t, o{"success": a{
			o{"request_txn": o{"success": a{g.opPut("k", "sibling")}}},
			o{"request_txn": o{"success": a{g.opRange("k")}}},
		}})
		if got := n.at("responses", 1, "response_txn", "responses", 0, "response_range", "kvs", 0, "value").bytes(t); got != "sibling" {
			t.Errorf("the range read %q", got)
		}
	}},
	{"a key put by two siblings is refused", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/txn", o{"success": a{nested(g.opPut("k", "1")), nested(g.opPut("k", "2"))}}, 400, 3, duplicateKey)
		g.value(t, "k", "-")
	}},
	{"a key put by one sibling and deleted by a later one is accepted, the reverse is refused", func(t *testing.T, g *gateway) {
		g.put(t, "k", "0")
		g.refused(t, "/v3/kv/txn", o{"success": a{nested(g.opDelete("k")), nested(g.opPut("k", "1"))}}, 400, 3, duplicateKey)
		g.value(t, "k", "0")
		n := g.txn(t, o{"success": a{nested(g.opPut("k", "1")), nested(g.opDelete("k"))}})
		g.value(t, "k", "-")
		w := g.watchSocket(t)
		w.watch(t, o{"key": g.key("k"), "start_revision": revision(t, n)})
		if e := w.events(t, 0, 2); e[0].at("type").exists() || !e[1].at("type").is("DELETE") {
			t.Errorf("the events are %v", e)
		}
	}},
	{"a key put outside and deleted inside is refused, and the reverse", func(t *testing.T, g *gateway) {
		for _, ops := range []a{
			{g.opPut("k", ""), nested(g.opDelete("k"))}, {nested(g.opDelete("k")), g.opPut("k", "")},
			{g.opDelete("k"), nested(g.opPut("k", ""))}, {nested(g.opPut("k", "")), g.opDelete("k")},
		} {
			g.refused(t, "/v3/kv/txn", o{"success": ops}, 400, 3, duplicateKey)
		}
	}},
	{"a key put in the branches of one nested txn counts once", func(t *testing.T, g *gateway) {
		g.txn(t, o{"success": a{o{"request_txn": o{"success": a{g.opPut("k", "1")}, "failure": a{g.opPut("k", "2")}}}}})
		g.value(t, "k", "1")
		g.refused(t, "/v3/kv/txn", o{"success": a{g.opPut("k", "1"), o{"request_txn": o{"failure": a{g.opPut("k", "2")}}}}}, 400, 3, duplicateKey)
	}},
	{"a nested txn in the branch that is not taken does nothing", func(t *testing.T, g *gateway) {
		n := g.txn(t, o{"failure": a{o{"request_txn": o{"success": a{g.opPut("k", "")}}}}})
		if n.at("responses").exists() {
			t.Errorf("the reply is %s", n)
		}
		g.value(t, "k", "-")
	}},
	{"txns nest in txns", func(t *testing.T, g *gateway) {
		inner := o{"request_txn": o{"success": a{g.opPut("k", "deep")}}}
		g.txn(t, o{"success": a{o{"request_txn": o{"success": a{inner}}}}})
		g.value(t, "k", "deep")
	}},
}}

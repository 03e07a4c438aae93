package conformance

import (
	"net/http"
	"testing"
)

const (
	compacted = "etcdserver: mvcc: required revision has been compacted"
	future    = "etcdserver: mvcc: required revision is a future revision"
)

var errorFacts = topic{name: "errors", facts: []fact{
	{"a path nobody serves is 404: text before 3.6, code 5 since", func(t *testing.T, g *gateway) {
		r := g.send(t, http.MethodPost, "/v3/kv/nothing", "{}")
		if g.minor < 6 {
			if r.status != 404 || string(r.body) != "Not Found\n" {
				t.Errorf("%d: %q", r.status, r.body)
			}
			return
		}
		g.isError(t, "/v3/kv/nothing", r, 404, 5, "Not Found")
	}},
	{"a wrong method is 405 in text before 3.6, and 501 code 12 since", func(t *testing.T, g *gateway) {
		r := g.send(t, http.MethodGet, "/v3/kv/range", "")
		if g.minor < 6 {
			if r.status != 405 || string(r.body) != "Method Not Allowed\n" {
				t.Errorf("%d: %q", r.status, r.body)
			}
			return
		}
		g.isError(t, "/v3/kv/range", r, 501, 12, "Method Not Allowed")
	}},
	{"a body that is no JSON is code 3", func(t *testing.T, g *gateway) {
		for _, body := range []string{"{", "[]", `"x"`, `{"key":}`, "<html>"} {
			g.refused(t, "/v3/kv/range", body, 400, 3, "")
		}
	}},
	{"a missing key is code 3", func(t *testing.T, g *gateway) {
		for _, path := range []string{"/v3/kv/put", "/v3/kv/range", "/v3/kv/deleterange"} {
			g.refused(t, path, o{}, 400, 3, "etcdserver: key is not provided")
		}
	}},
	{"a future revision is code 11", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/range", o{"key": g.key("k"), "revision": "1000000"}, 400, 11, future)
		g.refused(t, "/v3/kv/compaction", o{"revision": "1000000"}, 400, 11, future)
	}},
	{"an unknown lease is 404 code 5", func(t *testing.T, g *gateway) {
		const message = "etcdserver: requested lease not found"
		g.refused(t, "/v3/kv/put", o{"key": g.key("k"), "lease": "987654321"}, 404, 5, message)
		g.refused(t, "/v3/lease/revoke", o{"ID": "987654321"}, 404, 5, message)
		g.value(t, "k", "-")
	}},
}}

var compactionFacts = topic{name: "compaction", facts: []fact{
	{"what was superseded before is gone and the rest stays", func(t *testing.T, g *gateway) {
		first := g.put(t, "k", "1")
		second := g.put(t, "k", "2")
		g.put(t, "k", "3")
		g.post(t, "/v3/kv/compaction", o{"revision": second, "physical": true})
		g.refused(t, "/v3/kv/range", o{"key": g.key("k"), "revision": first}, 400, 11, compacted)
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "revision": second}); n.at("kvs", 0, "value").bytes(t) != "2" {
			t.Errorf("at the compacted revision: %s", n)
		}
		g.value(t, "k", "3")
		g.refused(t, "/v3/kv/compaction", o{"revision": second}, 400, 11, compacted)
		g.refused(t, "/v3/kv/compaction", o{}, 400, 11, compacted)
		g.refused(t, "/v3/kv/txn", o{"success": a{o{"request_range": o{"key": g.key("k"), "revision": first}}}}, 400, 11, compacted)
	}},
	{"a compaction leaves the revision where it is", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "1")
		if got := revision(t, g.post(t, "/v3/kv/compaction", o{"revision": rev})); got != rev {
			t.Errorf("revision was %d and is %d", rev, got)
		}
	}},
	{"a watch from before is created and then cancelled with the compact revision", func(t *testing.T, g *gateway) {
		first := g.put(t, "k", "1")
		second := g.put(t, "k", "2")
		g.post(t, "/v3/kv/compaction", o{"revision": second})
		create := o{"key": g.key("k"), "start_revision": first}
		over := map[string]*stream{
			"POST":      g.stream(t, "/v3/watch", o{"create_request": create}),
			"WebSocket": g.watchSocket(t),
		}
		over["WebSocket"].send(t, o{"create_request": create})
		for name, s := range over {
			if n := s.next(t); !n.at("created").isTrue() || n.at("canceled").exists() {
				t.Errorf("%s: first came %s", name, n)
			}
			n := s.next(t)
			if !n.at("canceled").isTrue() || n.at("compact_revision").int64(t) != second || n.at("header", "revision").exists() {
				t.Errorf("%s: then came %s", name, n)
			}
		}
		over["POST"].silent(t) // and stays open, though its only watch is gone
		over["WebSocket"].silent(t)
		w := over["WebSocket"] // and can be used on
		id := w.watch(t, o{"key": g.key("k"), "start_revision": second}).at("watch_id").int64(t)
		w.events(t, id, 1)
	}},
}}

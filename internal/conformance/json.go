package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var jsonFacts = topic{name: "paths and JSON", facts: []fact{
	{"64-bit integers travel as strings", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		n := g.post(t, "/v3/kv/range", o{"key": g.key("k")})
		for _, path := range [][]any{
			{"header", "cluster_id"}, {"header", "member_id"}, {"header", "revision"}, {"header", "raft_term"}, {"count"},
			{"kvs", 0, "create_revision"}, {"kvs", 0, "mod_revision"}, {"kvs", 0, "version"},
		} {
			if v := n.at(path...).text(); v == "" || strings.Trim(v, "0123456789") != "" {
				t.Errorf("%v is %s", path, n.at(path...))
			}
		}
	}},
	{"64-bit integers are accepted as strings and as numbers", func(t *testing.T, g *gateway) {
		g.put(t, "a", "")
		g.put(t, "b", "")
		for _, limit := range []any{1, "1"} {
			if n := g.post(t, "/v3/kv/range", g.own(o{"limit": limit})); n.at("kvs").length() != 1 {
				t.Errorf("limit %v: %s", limit, n)
			}
		}
	}},
	{"zero, false and empty fields are absent", func(t *testing.T, g *gateway) {
		g.put(t, "k", "")
		n := g.post(t, "/v3/kv/range", o{"key": g.key("k")})
		for _, path := range [][]any{{"more"}, {"kvs", 0, "value"}, {"kvs", 0, "lease"}} {
			if n.at(path...).exists() {
				t.Errorf("%v is there: %s", path, n)
			}
		}
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("no")}); n.at("count").exists() || n.at("kvs").exists() {
			t.Errorf("an empty range has a count or kvs: %s", n)
		}
		n = g.post(t, "/v3/kv/txn", o{"compare": a{o{"key": g.key("no"), "target": "VERSION", "version": "1"}}})
		if n.at("succeeded").exists() || n.at("responses").exists() {
			t.Errorf("a failed txn is %s", n)
		}
	}},
	{"enums are accepted by name and by number", func(t *testing.T, g *gateway) {
		g.put(t, "a", "")
		g.put(t, "b", "")
		for _, order := range []any{"DESCEND", 2} {
			n := g.post(t, "/v3/kv/range", g.own(o{"sort_order": order, "sort_target": "KEY"}))
			if got := g.keys(t, n); got != "b a" {
				t.Errorf("order %v: %s", order, got)
			}
		}
	}},
	{"names are accepted in camel case too, and answered in their own", func(t *testing.T, g *gateway) {
		rev := g.put(t, "a", "")
		g.put(t, "b", "")
		n := g.post(t, "/v3/kv/range", o{"key": g.key(""), "rangeEnd": g.end(), "maxModRevision": rev})
		if got := g.keys(t, n); got != "a" || !n.at("kvs", 0, "mod_revision").exists() {
			t.Errorf("the answer is %s", n)
		}
	}},
	{"an unknown enum name is refused before 3.6 and read as zero since", func(t *testing.T, g *gateway) {
		g.put(t, "k", "")
		body := o{"key": g.key("k"), "sort_order": "SIDEWAYS"}
		if g.minor < 6 {
			g.refused(t, "/v3/kv/range", body, 400, 3, "")
		} else if n := g.post(t, "/v3/kv/range", body); n.at("kvs").length() != 1 {
			t.Errorf("the key is not there: %s", n)
		}
		// So a misspelled compare becomes another one: EQUAL, of the VERSION.
		target := o{"compare": a{o{"key": g.key("k"), "target": "MODIFIED", "version": "1"}}}
		result := o{"compare": a{o{"key": g.key("none"), "target": "VERSION", "result": "MORE", "version": "0"}}}
		for _, txn := range []o{target, result} {
			if g.minor < 6 {
				g.refused(t, "/v3/kv/txn", txn, 400, 3, "")
			} else if n := g.txn(t, txn); !n.at("succeeded").isTrue() {
				t.Errorf("%v failed: %s", txn, n)
			}
		}
	}},
	{"base64 is standard and padded; before 3.6 all else is refused", func(t *testing.T, g *gateway) {
		for _, key := range []string{"YWI", "_-8=", "_-8"} {
			body := `{"key":"` + key + `","count_only":true}`
			if g.minor < 6 {
				g.refused(t, "/v3/kv/range", body, 400, 3, "")
			} else {
				g.post(t, "/v3/kv/range", body)
			}
		}
		g.refused(t, "/v3/kv/range", `{"key":"a b!"}`, 400, 3, "")
		g.refused(t, "/v3/kv/range", `{"key":5}`, 400, 3, "")
	}},
	{"values of any bytes come back in standard base64", func(t *testing.T, g *gateway) {
		var all strings.Builder
		for i := range 256 {
			all.WriteByte(byte(i))
		}
		g.put(t, all.String(), all.String())
		r := g.send(t, http.MethodPost, "/v3/kv/range", o{"key": g.key(all.String())})
		if !strings.Contains(string(r.body), b64(all.String())) {
			t.Errorf("the value is not there as it was sent: %s", r.body)
		}
		g.value(t, all.String(), all.String())
	}},
	{"unknown fields are dropped, so a misspelled compare compares nothing", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		n := g.post(t, "/v3/kv/txn", o{"compares": a{o{"key": g.key("k"), "target": "VERSION", "version": "99"}}})
		if !n.at("succeeded").isTrue() {
			t.Errorf("the misspelled compare counted: %s", n)
		}
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "valeu": b64("lost")})
		g.value(t, "k", "")
	}},
	{"a compare whose value is of another target compares with zero", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "v")
		mixed := o{"compare": a{o{"key": g.key("k"), "target": "VERSION", "mod_revision": rev}}}
		if n := g.post(t, "/v3/kv/txn", mixed); n.at("succeeded").exists() {
			t.Errorf("version equals the mod revision: %s", n)
		}
		mixed = o{"compare": a{o{"key": g.key("none"), "target": "VERSION", "mod_revision": rev}}}
		if n := g.post(t, "/v3/kv/txn", mixed); !n.at("succeeded").isTrue() {
			t.Errorf("version is not compared with zero: %s", n)
		}
	}},
	{"an empty body is an empty request, and null is zero", func(t *testing.T, g *gateway) {
		g.post(t, "/v3/lease/leases", "")
		g.refused(t, "/v3/kv/put", "", 400, 3, "etcdserver: key is not provided")
		g.put(t, "k", "v")
		if n := g.post(t, "/v3/kv/range", o{"key": g.key("k"), "range_end": nil, "limit": nil}); n.at("kvs").length() != 1 {
			t.Errorf("null is not zero: %s", n)
		}
	}},
	{"v3beta is an alias, v3alpha is gone, a doubled slash redirects", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		if n := g.post(t, "/v3beta/kv/range", o{"key": g.key("k")}); n.at("kvs").length() != 1 {
			t.Errorf("v3beta: %s", n)
		}
		if r := g.send(t, http.MethodPost, "/v3alpha/kv/range", o{"key": g.key("k")}); r.status != 404 {
			t.Errorf("v3alpha: %d", r.status)
		}
		if r := g.send(t, http.MethodPost, "//v3/kv/range", o{"key": g.key("k")}); r.status != 307 {
			t.Errorf("a doubled slash: %d", r.status)
		}
	}},
	{"a reply says it is JSON", func(t *testing.T, g *gateway) {
		r := g.send(t, http.MethodPost, "/v3/kv/range", o{"key": g.key("k")})
		if got := r.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("content type %q", got)
		}
	}},
	{"replies are not compressed even where the client would take it", func(t *testing.T, g *gateway) {
		g.put(t, "k", strings.Repeat("a", 10_000))
		r := g.with("Accept-Encoding", "gzip").send(t, http.MethodPost, "/v3/kv/range", o{"key": g.key("k")})
		if got := r.header.Get("Content-Encoding"); got != "" {
			t.Errorf("content encoding %q", got)
		}
	}},
	{"GET /version names the server and the cluster version", func(t *testing.T, g *gateway) {
		n := g.send(t, http.MethodGet, "/version", "").json(t)
		if got := n.at("etcdserver").str(t); got != g.target.Version {
			t.Errorf("etcdserver is %s", got)
		}
		line := g.target.Version[:strings.LastIndex(g.target.Version, ".")]
		if got := n.at("etcdcluster").str(t); got != line+".0" {
			t.Errorf("etcdcluster is %s", got)
		}
	}},
	{"GET /health tells a healthy member in text", func(t *testing.T, g *gateway) {
		r := g.send(t, http.MethodGet, "/health", "")
		if n := r.json(t); r.status != 200 || !n.at("health").is("true") {
			t.Errorf("%d: %s", r.status, n)
		}
	}},
}}

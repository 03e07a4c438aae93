package conformance

import (
	"fmt"
	"strings"
	"testing"
)

const noSpace = "etcdserver: mvcc: database space exceeded"

var limitFacts = topic{name: "limits", facts: []fact{
	{"a request of more than 1.5 MiB is too large, by its decoded size", func(t *testing.T, g *gateway) {
		const tooLarge = "etcdserver: request is too large"
		g.put(t, "fits", strings.Repeat("x", 1536<<10-200))
		g.refused(t, "/v3/kv/put", o{"key": g.key("k"), "value": b64(strings.Repeat("x", 1536<<10+1))}, 400, 3, tooLarge)
		g.value(t, "k", "-")
	}},
	{"a request beyond 2 MiB is refused before it is looked at, with 429 code 8", func(t *testing.T, g *gateway) {
		r := g.send(t, "POST", "/v3/kv/put", o{"key": g.key("k"), "value": b64(strings.Repeat("x", 2100<<10))})
		g.isError(t, "/v3/kv/put", r, 429, 8, "")
		const grpc = "grpc: received message larger than max ("
		if m := r.json(t).at("message").text(); !strings.Contains(m, grpc[6:]) {
			t.Errorf("the message is %q", m)
		}
		g.value(t, "k", "-")
	}},
	{"a reply may be larger than a request", func(t *testing.T, g *gateway) {
		for i := range 5 {
			g.put(t, fmt.Sprint(i), strings.Repeat("x", 1<<20))
		}
		if n := g.post(t, "/v3/kv/range", g.own(nil)); n.at("kvs").length() != 5 {
			t.Errorf("there are %d keys", n.at("kvs").length())
		}
	}},
}}

var alarmFacts = topic{name: "a full server, by its alarm", options: Options{QuotaBytes: 1 << 30}, facts: []fact{
	{"there is no alarm at first", func(t *testing.T, g *gateway) {
		if n := g.post(t, "/v3/maintenance/alarm", o{}); n.at("alarms").exists() {
			t.Errorf("there are %s", n)
		}
	}},
	{"an alarm that is raised is listed, in the status too", func(t *testing.T, g *gateway) {
		g.put(t, "there", "")
		id := g.memberID(t)
		n := g.post(t, "/v3/maintenance/alarm", o{"action": "ACTIVATE", "memberID": id, "alarm": "NOSPACE"})
		if !n.at("alarms", 0, "alarm").is("NOSPACE") || !n.at("alarms", 0, "memberID").is(id) {
			t.Errorf("the answer is %s", n)
		}
		if n := g.post(t, "/v3/maintenance/alarm", o{"action": "GET"}); n.at("alarms").length() != 1 {
			t.Errorf("the list is %s", n)
		}
		if n := g.post(t, "/v3/maintenance/status", o{}); n.at("errors").length() != 1 ||
			!strings.Contains(n.at("errors", 0).text(), "NOSPACE") {
			t.Errorf("the status is %s", n)
		}
	}},
	{"puts are refused with 429 code 8", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/put", o{"key": g.key("k")}, 429, 8, noSpace)
		g.value(t, "k", "-")
	}},
	{"a txn with a put anywhere is refused, its untaken branch and, since 3.5, its siblings included", func(t *testing.T, g *gateway) {
		never := a{o{"key": g.key("no"), "target": "VERSION", "version": "1"}}
		for name, body := range map[string]o{
			"taken":   {"success": a{g.opPut("k", "")}},
			"untaken": {"compare": never, "success": a{g.opPut("k", "")}, "failure": a{g.opDelete("k")}},
			"sibling": {"success": a{o{"request_txn": o{"success": a{g.opDelete("a")}}}, o{"request_txn": o{"success": a{g.opPut("b", "")}}}}},
			"deep":    {"success": a{o{"request_txn": o{"compare": never, "success": a{g.opPut("b", "")}}}}},
		} {
			r := g.send(t, "POST", "/v3/kv/txn", body)
			want := 429
			if g.minor < 5 && (name == "sibling" || name == "deep") {
				want = 200 // it does not look into nested txns
			}
			if r.status != want {
				t.Errorf("%s: %d: %s", name, r.status, r.body)
			}
		}
	}},
	{"deletes, and txns that only delete and read, pass", func(t *testing.T, g *gateway) {
		g.txn(t, o{"success": a{g.opDelete("a"), g.opRange("a")}})
		g.txn(t, o{"success": a{o{"request_txn": o{"success": a{g.opDelete("a")}}}}})
		g.post(t, "/v3/kv/deleterange", g.own(nil))
		g.post(t, "/v3/kv/range", g.own(nil))
	}},
	{"a lease is refused, a renewal and a revocation pass", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/lease/grant", o{"TTL": 60}, 429, 8, noSpace)
		g.keepAlive(t, newID())
		g.refused(t, "/v3/lease/revoke", o{"ID": newID()}, 404, 5, "etcdserver: requested lease not found")
	}},
	{"once the alarm is taken back, puts pass", func(t *testing.T, g *gateway) {
		n := g.post(t, "/v3/maintenance/alarm", o{"action": "DEACTIVATE", "memberID": g.memberID(t), "alarm": "NOSPACE"})
		if n.at("alarms").length() != 1 {
			t.Errorf("the answer is %s", n)
		}
		if n := g.post(t, "/v3/maintenance/alarm", o{}); n.at("alarms").exists() {
			t.Errorf("left are %s", n)
		}
		g.put(t, "k", "")
	}},
}}

var quotaFacts = topic{name: "a server that runs full", options: Options{QuotaBytes: 4 << 20}, facts: []fact{
	{"raises the alarm by itself and is freed by deleting, compacting and defragmenting", func(t *testing.T, g *gateway) {
		value := b64(strings.Repeat("x", 512<<10))
		full := false
		for i := 0; i < 40 && !full; i++ {
			r := g.send(t, "POST", "/v3/kv/put", o{"key": g.key(fmt.Sprint(i)), "value": value})
			if full = r.status != 200; full {
				g.isError(t, "/v3/kv/put", r, 429, 8, noSpace)
			}
		}
		if !full {
			t.Fatal("20 MiB fit into 4")
		}
		n := g.post(t, "/v3/maintenance/alarm", o{})
		if !n.at("alarms", 0, "alarm").is("NOSPACE") || !n.at("alarms", 0, "memberID").is(g.memberID(t)) {
			t.Errorf("the alarms are %s", n)
		}
		g.refused(t, "/v3/kv/put", o{"key": g.key("small")}, 429, 8, noSpace)
		rev := revision(t, g.post(t, "/v3/kv/deleterange", g.own(nil)))
		g.post(t, "/v3/kv/compaction", o{"revision": rev, "physical": true})
		g.post(t, "/v3/maintenance/defragment", o{})
		g.post(t, "/v3/maintenance/alarm", o{"action": "DEACTIVATE", "memberID": g.memberID(t), "alarm": "NOSPACE"})
		g.put(t, "small", "")
	}},
}}

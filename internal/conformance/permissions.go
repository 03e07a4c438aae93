package conformance

import (
	"strings"
	"testing"
)

// watchDenied is why a watch is cancelled that is not permitted. 3.4 gives it
// for a want of a token too.
const watchDenied = "rpc error: code = PermissionDenied desc = " + permissionDenied

// isRefusedWatch asks for a watch that is created and cancelled in one, for a
// reason, or for any where that is empty. 3.4 names the watch as it was asked
// for, the others no watch.
func (g *gateway) isRefusedWatch(t testing.TB, s *stream, create o, reason string) {
	t.Helper()
	create["watch_id"] = 7
	s.send(t, o{"create_request": create})
	n := s.next(t)
	id := int64(-1)
	if g.minor < 5 {
		id = 7
	}
	if !n.at("created").isTrue() || !n.at("canceled").isTrue() || n.at("watch_id").int64(t) != id {
		t.Errorf("the answer is %s", n)
	}
	if got := n.at("cancel_reason").text(); got == "" || reason != "" && got != reason {
		t.Errorf("the reason is %q", got)
	}
}

// limited makes the user ann, who may read and write r/ and w/ as they say.
func limited(t *testing.T, g *gateway) {
	g.post(t, "/v3/auth/user/add", o{"name": "ann", "password": "1"})
	g.post(t, "/v3/auth/role/add", o{"name": "ann's"})
	g.post(t, "/v3/auth/user/grant", o{"user": "ann", "role": "ann's"})
	for prefix, kind := range map[string]string{"r/": "READ", "w/": "WRITE", "rw/": "READWRITE"} {
		g.post(t, "/v3/auth/role/grant", o{"name": "ann's", "perm": o{
			"permType": kind, "key": b64(prefix), "range_end": b64(prefix[:len(prefix)-1] + "0")}})
	}
	g.enableAuth(t)
}

// key names for permissions stand outside the test's prefix.
func put(key string) o            { return o{"request_put": o{"key": b64(key)}} }
func get(key string) o            { return o{"request_range": o{"key": b64(key)}} }
func del(key string) o            { return o{"request_delete_range": o{"key": b64(key)}} }
func span(from, to string) o      { return o{"key": b64(from), "range_end": b64(to)} }
func only(key string) o           { return o{"key": b64(key)} }
func prevKV(key string) o         { return o{"key": b64(key), "prev_kv": true} }
func leased(key, id string) o     { return o{"key": b64(key), "lease": id} }
func version(key string, n int) o { return o{"key": b64(key), "target": "VERSION", "version": n} }

var permissionFacts = topic{name: "permissions", setUp: limited, facts: []fact{
	{"reads and writes are refused outside of their ranges", func(t *testing.T, g *gateway) {
		ann := g.as(t, "ann", "1")
		for _, c := range []struct {
			path string
			body o
			ok   bool
		}{
			{"/v3/kv/put", only("w/k"), true}, {"/v3/kv/put", only("rw/k"), true},
			{"/v3/kv/put", only("r/k"), false}, {"/v3/kv/put", only("other"), false},
			{"/v3/kv/put", prevKV("w/k"), false}, {"/v3/kv/put", prevKV("rw/k"), true},
			{"/v3/kv/range", only("r/k"), true}, {"/v3/kv/range", only("w/k"), false}, {"/v3/kv/range", only("other"), false},
			{"/v3/kv/range", span("r/", "r0"), true}, {"/v3/kv/range", span("r/", "r1"), false},
			{"/v3/kv/range", span("r/a", "r/b"), true}, {"/v3/kv/range", span("r/", "\x00"), false},
			{"/v3/kv/deleterange", only("w/k"), true}, {"/v3/kv/deleterange", only("r/k"), false},
			{"/v3/kv/deleterange", prevKV("w/k"), false}, {"/v3/kv/deleterange", span("rw/", "rw0"), true},
		} {
			if c.ok {
				ann.post(t, c.path, c.body)
			} else {
				ann.refused(t, c.path, c.body, 403, 7, permissionDenied)
			}
		}
	}},
	{"a txn is refused for what any of its branches and compares may not, since 3.5 those nested in it too", func(t *testing.T, g *gateway) {
		ann := g.as(t, "ann", "1")
		ann.post(t, "/v3/kv/txn", o{"compare": a{version("r/k", 0)}, "success": a{put("w/k")}, "failure": a{get("rw/k")}})
		for name, body := range map[string]o{
			"success":        {"success": a{put("r/k")}},
			"failure":        {"success": a{put("w/k")}, "failure": a{put("other")}},
			"compare":        {"compare": a{version("w/k", 0)}},
			"delete":         {"failure": a{del("r/k")}},
			"nested":         {"success": a{o{"request_txn": o{"success": a{put("r/k")}}}}},
			"nested compare": {"success": a{o{"request_txn": o{"compare": a{version("other", 0)}}}}},
		} {
			r := ann.send(t, "POST", "/v3/kv/txn", body)
			want := 403
			if g.minor < 5 && strings.HasPrefix(name, "nested") {
				want = 200
			}
			if r.status != want {
				t.Errorf("%s: %d: %s", name, r.status, r.body)
			}
		}
	}},
	{"a watch that is not permitted is created and cancelled in one", func(t *testing.T, g *gateway) {
		ann := g.as(t, "ann", "1")
		create := span("r/", "r0")
		if g.minor < 5 {
			// A WebSocket knows no user, so each watch has a stream of its own.
			for _, no := range []o{only("w/k"), span("r/", "r1"), only("other")} {
				no["watch_id"] = 7
				n := ann.stream(t, "/v3/watch", o{"create_request": no}).next(t)
				if !n.at("created").isTrue() || !n.at("canceled").isTrue() || n.at("watch_id").int64(t) != 7 || n.at("cancel_reason").text() != watchDenied {
					t.Errorf("the answer is %s", n)
				}
			}
			w := ann.stream(t, "/v3/watch", o{"create_request": create})
			if n := w.next(t); !n.at("created").isTrue() || n.at("canceled").exists() {
				t.Errorf("the answer is %s", n)
			}
			g.as(t, "root", rootPassword).post(t, "/v3/kv/put", only("r/k"))
			w.events(t, 0, 1)
			return
		}
		w := g.webSocket(t, "/v3/watch", "Bearer", g.token(t, "ann", "1"))
		for _, no := range []o{only("w/k"), span("r/", "r1"), only("other")} {
			g.isRefusedWatch(t, w, no, watchDenied)
		}
		w.watch(t, create)
		g.as(t, "root", rootPassword).post(t, "/v3/kv/put", only("r/k"))
		w.events(t, 0, 1)
	}},
	{"a lease can be granted by everybody, and attached to what one may write", func(t *testing.T, g *gateway) {
		ann := g.as(t, "ann", "1")
		id := ann.grant(t, 60)
		ann.post(t, "/v3/kv/put", leased("w/leased", id))
		ann.refused(t, "/v3/kv/put", leased("r/leased", id), 403, 7, permissionDenied)
		ann.keepAlive(t, id)
		ann.post(t, "/v3/lease/revoke", o{"ID": id})
	}},
	{"a lease with a key one may not write is not revoked, and not attached to more", func(t *testing.T, g *gateway) {
		ann, root := g.as(t, "ann", "1"), g.as(t, "root", rootPassword)
		id := root.grant(t, 60)
		root.post(t, "/v3/kv/put", leased("other", id))
		ann.refused(t, "/v3/lease/revoke", o{"ID": id}, 403, 7, permissionDenied)
		ann.refused(t, "/v3/kv/put", leased("w/k", id), 403, 7, permissionDenied)
		if g.minor < 5 { // it shows the keys to everybody
			if n := ann.post(t, "/v3/lease/timetolive", o{"ID": id, "keys": true}); !n.at("keys", 0).is(b64("other")) {
				t.Errorf("the lease is %s", n)
			}
			return
		}
		ann.refused(t, "/v3/lease/timetolive", o{"ID": id, "keys": true}, 403, 7, permissionDenied)
	}},
	{"a lease with a key one may not write is not renewed either, since 3.5", func(t *testing.T, g *gateway) {
		ann, root := g.as(t, "ann", "1"), g.as(t, "root", rootPassword)
		id := root.grant(t, 60)
		root.post(t, "/v3/kv/put", leased("other", id))
		if g.minor < 5 {
			ann.keepAlive(t, id)
			return
		}
		r := ann.send(t, "POST", "/v3/lease/keepalive", o{"ID": id})
		if r.status != 403 {
			t.Errorf("%d: %s", r.status, r.body)
		}
		g.isStreamError(t, string(r.body), 7, permissionDenied)
	}},
	{"management is for root, but for alarms in 3.4", func(t *testing.T, g *gateway) {
		ann := g.as(t, "ann", "1")
		for path, body := range map[string]o{
			"/v3/auth/user/add": {"name": "x", "password": "x"}, "/v3/auth/role/add": {"name": "x"}, "/v3/auth/disable": {},
			"/v3/auth/user/list": {}, "/v3/auth/role/list": {}, "/v3/cluster/member/remove": {"ID": "1"},
			"/v3/maintenance/alarm": {"action": "ACTIVATE", "alarm": "NOSPACE"},
		} {
			if g.minor > 4 || path != "/v3/maintenance/alarm" {
				ann.refused(t, path, body, 403, 7, permissionDenied)
			}
		}
		if g.minor < 5 {
			// And under that alarm nobody asks who may do what.
			alarm := o{"action": "ACTIVATE", "alarm": "NOSPACE"}
			ann.post(t, "/v3/maintenance/alarm", alarm)
			ann.post(t, "/v3/kv/deleterange", only("other"))
			ann.post(t, "/v3/auth/user/list", o{})
			alarm["action"] = "DEACTIVATE"
			ann.post(t, "/v3/maintenance/alarm", alarm)
			ann.refused(t, "/v3/kv/deleterange", only("other"), 403, 7, permissionDenied)
		}
		for _, path := range []string{"/v3/maintenance/defragment", "/v3/maintenance/hash"} {
			if g.minor < 6 {
				ann.refused(t, path, o{}, 500, 2, "auth: permission denied")
			} else {
				ann.refused(t, path, o{}, 403, 7, permissionDenied)
			}
		}
		ann.post(t, "/v3/auth/user/get", o{"name": "ann"})
		ann.post(t, "/v3/auth/role/get", o{"role": "ann's"})
	}},
	{"a permission taken back counts at once", func(t *testing.T, g *gateway) {
		ann, root := g.as(t, "ann", "1"), g.as(t, "root", rootPassword)
		ann.post(t, "/v3/kv/put", only("w/k"))
		root.post(t, "/v3/auth/role/revoke", o{"role": "ann's", "key": b64("w/"), "range_end": b64("w0")})
		ann.refused(t, "/v3/kv/put", only("w/k"), 403, 7, permissionDenied)
	}},
}}

package conformance

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

var leaseIDs atomic.Int64

// newID returns a lease id nobody has used.
func newID() string {
	return strconv.FormatInt(time.Now().UnixNano()/1000*1000+leaseIDs.Add(1), 10)
}

// grant grants a lease under an id of its own choosing.
func (g *gateway) grant(t testing.TB, ttl int) string {
	t.Helper()
	id := newID()
	if n := g.post(t, "/v3/lease/grant", o{"ID": id, "TTL": ttl}); !n.at("ID").is(id) {
		t.Fatalf("lease %s: %s", id, n)
	}
	return id
}

func (g *gateway) keepAlive(t testing.TB, id string) node {
	t.Helper()
	n := g.post(t, "/v3/lease/keepalive", o{"ID": id})
	if !n.at("result", "ID").is(id) {
		t.Fatalf("renewal of %s: %s", id, n)
	}
	return n.at("result")
}

var leaseFacts = topic{name: "leases", facts: []fact{
	{"an id can be chosen once", func(t *testing.T, g *gateway) {
		id := newID()
		if n := g.post(t, "/v3/lease/grant", o{"ID": id, "TTL": "60"}); !n.at("ID").is(id) || n.at("TTL").int64(t) != 60 {
			t.Errorf("the grant is %s", n)
		}
		g.refused(t, "/v3/lease/grant", o{"ID": id, "TTL": "60"}, 400, 9, "etcdserver: lease already exists")
		g.post(t, "/v3/lease/revoke", o{"ID": id})
		g.post(t, "/v3/lease/grant", o{"ID": id, "TTL": "60"})
	}},
	{"the server chooses where no id is given", func(t *testing.T, g *gateway) {
		one, two := g.post(t, "/v3/lease/grant", o{"TTL": "60"}), g.post(t, "/v3/lease/grant", o{"TTL": "60"})
		if one.at("ID").int64(t) <= 0 || two.at("ID").int64(t) <= 0 || one.at("ID").is(two.at("ID").value) {
			t.Errorf("ids are %s and %s", one, two)
		}
	}},
	{"a grant makes no revision", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "")
		if got := revision(t, g.post(t, "/v3/lease/grant", o{"TTL": "60"})); got != rev {
			t.Errorf("revision was %d and is %d", rev, got)
		}
	}},
	{"a TTL below 2 becomes 2 seconds", func(t *testing.T, g *gateway) {
		for _, ttl := range []int{1, 0, -5} {
			if n := g.post(t, "/v3/lease/grant", o{"TTL": ttl}); n.at("TTL").int64(t) != 2 {
				t.Errorf("TTL %d: %s", ttl, n)
			}
		}
	}},
	{"a TTL beyond 9,000,000,000 is refused", func(t *testing.T, g *gateway) {
		g.post(t, "/v3/lease/grant", o{"TTL": "9000000000"})
		g.refused(t, "/v3/lease/grant", o{"TTL": "9000000001"}, 400, 11, "etcdserver: too large lease TTL")
	}},
	{"a renewal is a frame with the TTL, and one of an unknown lease is 200 without", func(t *testing.T, g *gateway) {
		id := g.grant(t, 60)
		if n := g.keepAlive(t, id); n.at("TTL").int64(t) != 60 {
			t.Errorf("the renewal is %s", n)
		}
		if n := g.keepAlive(t, newID()); n.at("TTL").exists() {
			t.Errorf("the renewal of an unknown lease is %s", n)
		}
		g.post(t, "/v3/lease/revoke", o{"ID": id})
		if n := g.keepAlive(t, id); n.at("TTL").exists() {
			t.Errorf("the renewal of a revoked lease is %s", n)
		}
	}},
	{"timetolive tells the rest and the grant, with the keys where asked", func(t *testing.T, g *gateway) {
		id := g.grant(t, 60)
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "lease": id})
		n := g.post(t, "/v3/lease/timetolive", o{"ID": id, "keys": true})
		if ttl := n.at("TTL").int64(t); ttl < 55 || ttl > 60 || n.at("grantedTTL").int64(t) != 60 ||
			n.at("keys").length() != 1 || !n.at("keys", 0).is(g.key("k")) || !n.at("ID").is(id) {
			t.Errorf("the lease is %s", n)
		}
		if n := g.post(t, "/v3/kv/lease/timetolive", o{"ID": id}); n.at("keys").exists() || n.at("grantedTTL").int64(t) != 60 {
			t.Errorf("by the other path and without keys: %s", n)
		}
		n = g.post(t, "/v3/lease/timetolive", o{"ID": newID()})
		if n.at("TTL").int64(t) != -1 || n.at("grantedTTL").exists() {
			t.Errorf("an unknown lease: %s", n)
		}
	}},
	{"leases are listed, by either path", func(t *testing.T, g *gateway) {
		id := g.grant(t, 60)
		for _, path := range []string{"/v3/lease/leases", "/v3/kv/lease/leases"} {
			n := g.post(t, path, o{})
			found := false
			for i := range n.at("leases").length() {
				found = found || n.at("leases", i, "ID").is(id)
			}
			if !found {
				t.Errorf("%s: no %s in %s", path, id, n)
			}
		}
	}},
	{"a revocation by either path ends a lease", func(t *testing.T, g *gateway) {
		for _, path := range []string{"/v3/lease/revoke", "/v3/kv/lease/revoke"} {
			id := g.grant(t, 60)
			g.post(t, path, o{"ID": id})
			g.refused(t, path, o{"ID": id}, 404, 5, "etcdserver: requested lease not found")
		}
	}},
}}

var leaseKeyFacts = topic{name: "leases and keys", facts: []fact{
	{"a revocation deletes the lease's keys in one revision", func(t *testing.T, g *gateway) {
		id := g.grant(t, 60)
		g.post(t, "/v3/kv/put", o{"key": g.key("a"), "lease": id})
		rev := revision(t, g.post(t, "/v3/kv/put", o{"key": g.key("b"), "lease": id}))
		w := g.watchSocket(t)
		w.watch(t, g.own(nil))
		if got := revision(t, g.post(t, "/v3/lease/revoke", o{"ID": id})); got != rev+1 {
			t.Errorf("revision was %d and is %d", rev, got)
		}
		for _, e := range w.events(t, 0, 2) {
			if !e.at("type").is("DELETE") || e.at("kv", "mod_revision").int64(t) != rev+1 {
				t.Errorf("the event is %s", e)
			}
		}
	}},
	{"revoking a lease without keys makes no revision", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "")
		if got := revision(t, g.post(t, "/v3/lease/revoke", o{"ID": g.grant(t, 60)})); got != rev {
			t.Errorf("revision was %d and is %d", rev, got)
		}
	}},
	{"an expiry deletes the lease's keys in one revision, not before the TTL", func(t *testing.T, g *gateway) {
		before := time.Now()
		id := g.grant(t, 4)
		g.post(t, "/v3/kv/put", o{"key": g.key("a"), "lease": id})
		rev := revision(t, g.post(t, "/v3/kv/put", o{"key": g.key("b"), "lease": id}))
		w := g.watchSocket(t)
		w.watch(t, g.own(nil))
		for _, e := range w.events(t, 0, 2) {
			if !e.at("type").is("DELETE") || e.at("kv", "mod_revision").int64(t) != rev+1 {
				t.Errorf("the event is %s", e)
			}
		}
		if took := time.Since(before); took < 4*time.Second {
			t.Errorf("it expired after %v", took)
		}
		if n := g.keepAlive(t, id); n.at("TTL").exists() {
			t.Errorf("the renewal is %s", n)
		}
	}},
	{"a renewed lease lives on", func(t *testing.T, g *gateway) {
		id := g.grant(t, 4)
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "lease": id})
		for end := time.Now().Add(5500 * time.Millisecond); time.Now().Before(end); time.Sleep(400 * time.Millisecond) {
			if n := g.keepAlive(t, id); n.at("TTL").int64(t) != 4 {
				t.Fatalf("the renewal is %s", n)
			}
		}
		g.value(t, "k", "")
	}},
	{"a put without the lease detaches the key", func(t *testing.T, g *gateway) {
		id := g.grant(t, 60)
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "lease": id})
		if kv := g.get(t, "k"); !kv.at("lease").is(id) {
			t.Errorf("the key is %s", kv)
		}
		g.put(t, "k", "free")
		g.post(t, "/v3/lease/revoke", o{"ID": id})
		g.value(t, "k", "free")
	}},
	{"a put with another lease moves the key", func(t *testing.T, g *gateway) {
		one, two := g.grant(t, 60), g.grant(t, 60)
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "lease": one})
		g.post(t, "/v3/kv/put", o{"key": g.key("k"), "lease": two})
		if n := g.post(t, "/v3/lease/timetolive", o{"ID": one, "keys": true}); n.at("keys").exists() {
			t.Errorf("the first lease still has it: %s", n)
		}
		g.post(t, "/v3/lease/revoke", o{"ID": one})
		g.value(t, "k", "")
		g.post(t, "/v3/lease/revoke", o{"ID": two})
		g.value(t, "k", "-")
	}},
}}

package conformance

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

const (
	rootPassword     = "r00t secret"
	permissionDenied = "etcdserver: permission denied"
	nameEmpty        = "etcdserver: user name is empty"
	badToken         = "etcdserver: invalid auth token"
	badPassword      = "etcdserver: authentication failed, invalid user ID or password"
)

// enableAuth makes root and turns authentication on.
func (g *gateway) enableAuth(t testing.TB) {
	t.Helper()
	g.post(t, "/v3/auth/user/add", o{"name": "root", "password": rootPassword})
	g.post(t, "/v3/auth/role/add", o{"name": "root"})
	g.post(t, "/v3/auth/user/grant", o{"user": "root", "role": "root"})
	g.post(t, "/v3/auth/enable", o{})
}

// hasNoAuthStatus checks that the call does not exist, as in 3.4.
func (g *gateway) hasNoAuthStatus(t testing.TB) {
	t.Helper()
	if r := g.send(t, http.MethodPost, "/v3/auth/status", o{}); r.status != 404 || string(r.body) != "Not Found\n" {
		t.Errorf("%d: %q", r.status, r.body)
	}
}

func (g *gateway) token(t testing.TB, name, password string) string {
	t.Helper()
	return g.post(t, "/v3/auth/authenticate", o{"name": name, "password": password}).at("token").str(t)
}

// as returns a gateway that speaks for a user.
func (g *gateway) as(t testing.TB, name, password string) *gateway {
	t.Helper()
	return g.with("Authorization", g.token(t, name, password))
}

var authAdminFacts = topic{name: "users and roles", setUp: func(*testing.T, *gateway) {}, facts: []fact{
	{"authentication is off at first, and needs root", func(t *testing.T, g *gateway) {
		if g.minor < 5 {
			g.hasNoAuthStatus(t)
		} else if n := g.post(t, "/v3/auth/status", o{}); n.at("enabled").exists() || n.at("authRevision").int64(t) == 0 {
			t.Errorf("the status is %s", n)
		}
		g.refused(t, "/v3/auth/enable", o{}, 400, 9, "etcdserver: root user does not exist")
		g.refused(t, "/v3/auth/authenticate", o{"name": "root", "password": "x"}, 400, 9, "etcdserver: authentication is not enabled")
		g.post(t, "/v3/auth/user/add", o{"name": "root", "password": rootPassword})
		g.refused(t, "/v3/auth/enable", o{}, 400, 9, "etcdserver: root user does not have root role")
		g.post(t, "/v3/auth/user/delete", o{"name": "root"})
	}},
	{"users are added, listed, changed and deleted", func(t *testing.T, g *gateway) {
		g.post(t, "/v3/auth/user/add", o{"name": "ann", "password": "1"})
		g.refused(t, "/v3/auth/user/add", o{"name": "ann", "password": "1"}, 400, 9, "etcdserver: user name already exists")
		g.refused(t, "/v3/auth/user/add", o{"password": "1"}, 400, 3, nameEmpty)
		g.post(t, "/v3/auth/user/add", o{"name": "bob", "options": o{"no_password": true}})
		if n := g.post(t, "/v3/auth/user/list", o{}); n.at("users").length() != 2 || !n.at("users", 0).is("ann") || !n.at("users", 1).is("bob") {
			t.Errorf("the users are %s", n)
		}
		if n := g.post(t, "/v3/auth/user/get", o{"name": "ann"}); n.at("roles").exists() {
			t.Errorf("ann is %s", n)
		}
		g.post(t, "/v3/auth/user/changepw", o{"name": "ann", "password": "2"})
		g.refused(t, "/v3/auth/user/changepw", o{"name": "eve", "password": "2"}, 400, 9, "etcdserver: user name not found")
		for _, path := range []string{"/v3/auth/user/get", "/v3/auth/user/delete"} {
			g.refused(t, path, o{"name": "eve"}, 400, 9, "etcdserver: user name not found")
		}
		g.post(t, "/v3/auth/user/delete", o{"name": "bob"})
		if n := g.post(t, "/v3/auth/user/list", o{}); n.at("users").length() != 1 {
			t.Errorf("the users are %s", n)
		}
	}},
	{"roles are added, listed, given, taken and deleted", func(t *testing.T, g *gateway) {
		g.post(t, "/v3/auth/role/add", o{"name": "writer"})
		g.refused(t, "/v3/auth/role/add", o{"name": "writer"}, 400, 9, "etcdserver: role name already exists")
		g.refused(t, "/v3/auth/role/add", o{}, 400, 3, "etcdserver: role name is empty")
		g.post(t, "/v3/auth/role/add", o{"name": "reader"})
		if n := g.post(t, "/v3/auth/role/list", o{}); n.at("roles").length() != 2 || !n.at("roles", 0).is("reader") {
			t.Errorf("the roles are %s", n)
		}
		g.post(t, "/v3/auth/user/grant", o{"user": "ann", "role": "writer"})
		g.refused(t, "/v3/auth/user/grant", o{"user": "ann", "role": "none"}, 400, 9, "etcdserver: role name not found")
		g.refused(t, "/v3/auth/user/grant", o{"user": "eve", "role": "writer"}, 400, 9, "etcdserver: user name not found")
		if n := g.post(t, "/v3/auth/user/get", o{"name": "ann"}); n.at("roles").length() != 1 || !n.at("roles", 0).is("writer") {
			t.Errorf("ann is %s", n)
		}
		g.post(t, "/v3/auth/user/revoke", o{"name": "ann", "role": "writer"})
		g.refused(t, "/v3/auth/user/revoke", o{"name": "ann", "role": "writer"}, 400, 9, "etcdserver: role is not granted to the user")
		g.post(t, "/v3/auth/user/grant", o{"user": "ann", "role": "reader"})
		g.post(t, "/v3/auth/role/delete", o{"role": "reader"})
		g.refused(t, "/v3/auth/role/delete", o{"role": "reader"}, 400, 9, "etcdserver: role name not found")
		if n := g.post(t, "/v3/auth/user/get", o{"name": "ann"}); n.at("roles").exists() {
			t.Errorf("ann is %s", n)
		}
	}},
	{"permissions are granted, shown and revoked by their range", func(t *testing.T, g *gateway) {
		g.post(t, "/v3/auth/role/grant", o{"name": "writer", "perm": o{"permType": "READWRITE", "key": b64("a"), "range_end": b64("b")}})
		g.post(t, "/v3/auth/role/grant", o{"name": "writer", "perm": o{"key": b64("c")}})
		n := g.post(t, "/v3/auth/role/get", o{"role": "writer"})
		if n.at("perm").length() != 2 || !n.at("perm", 0, "permType").is("READWRITE") || !n.at("perm", 0, "range_end").is(b64("b")) ||
			n.at("perm", 1, "permType").exists() || !n.at("perm", 1, "key").is(b64("c")) {
			t.Errorf("the role is %s", n)
		}
		g.post(t, "/v3/auth/role/grant", o{"name": "writer", "perm": o{"permType": "WRITE", "key": b64("c")}})
		if n := g.post(t, "/v3/auth/role/get", o{"role": "writer"}); n.at("perm").length() != 2 || !n.at("perm", 1, "permType").is("WRITE") {
			t.Errorf("the role is %s", n)
		}
		g.post(t, "/v3/auth/role/revoke", o{"role": "writer", "key": b64("c")})
		g.refused(t, "/v3/auth/role/revoke", o{"role": "writer", "key": b64("c")}, 400, 9, "etcdserver: permission is not granted to the role")
		g.refused(t, "/v3/auth/role/revoke", o{"role": "writer", "key": b64("a")}, 400, 9, "etcdserver: permission is not granted to the role")
		if n := g.post(t, "/v3/auth/role/get", o{"role": "writer"}); n.at("perm").length() != 1 {
			t.Errorf("the role is %s", n)
		}
		g.refused(t, "/v3/auth/role/get", o{"role": "none"}, 400, 9, "etcdserver: role name not found")
	}},
	{"a change makes an auth revision, which 3.4 does not tell, and no other", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "")
		if g.minor < 5 {
			g.hasNoAuthStatus(t)
			if n := g.post(t, "/v3/auth/role/add", o{"name": "one more"}); revision(t, n) != rev {
				t.Errorf("before was %d: %s", rev, n)
			}
			return
		}
		before := g.post(t, "/v3/auth/status", o{}).at("authRevision").int64(t)
		g.post(t, "/v3/auth/role/add", o{"name": "one more"})
		n := g.post(t, "/v3/auth/status", o{})
		if n.at("authRevision").int64(t) != before+1 || revision(t, n) != rev {
			t.Errorf("before was %d at %d: %s", before, rev, n)
		}
	}},
	{"authentication is turned on and off by root", func(t *testing.T, g *gateway) {
		g.enableAuth(t)
		root := g.as(t, "root", rootPassword)
		if g.minor < 5 {
			root.hasNoAuthStatus(t)
		} else if n := root.post(t, "/v3/auth/status", o{}); !n.at("enabled").isTrue() {
			t.Errorf("the status is %s", n)
		}
		g.refused(t, "/v3/kv/put", o{"key": g.key("k")}, 400, 3, nameEmpty)
		root.refused(t, "/v3/auth/user/delete", o{"name": "root"}, 400, 3, "etcdserver: invalid auth management")
		root.refused(t, "/v3/auth/role/delete", o{"role": "root"}, 400, 3, "etcdserver: invalid auth management")
		root.refused(t, "/v3/auth/user/revoke", o{"name": "root", "role": "root"}, 400, 3, "etcdserver: invalid auth management")
		root.post(t, "/v3/auth/disable", o{})
		g.put(t, "k", "")
	}},
}}

var authTokenFacts = topic{name: "tokens", setUp: func(t *testing.T, g *gateway) { g.enableAuth(t) }, facts: []fact{
	{"a wrong password is code 3, for a user there is not too", func(t *testing.T, g *gateway) {
		for _, body := range []o{{"name": "root", "password": "wrong"}, {"name": "eve", "password": "x"}, {"name": "root"}} {
			g.refused(t, "/v3/auth/authenticate", body, 400, 3, badPassword)
		}
	}},
	{"a call without a token is 400 code 3", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/kv/put", o{"key": g.key("k")}, 400, 3, nameEmpty)
		g.refused(t, "/v3/kv/range", o{"key": g.key("k")}, 400, 3, nameEmpty)
		g.refused(t, "/v3/kv/txn", o{"success": a{g.opPut("k", "")}}, 400, 3, nameEmpty)
		g.refused(t, "/v3/auth/user/list", o{}, 400, 3, nameEmpty)
	}},
	{"an invalid token is 401 code 16", func(t *testing.T, g *gateway) {
		g.with("Authorization", "nonsense").refused(t, "/v3/kv/range", o{"key": g.key("k")}, 401, 16, badToken)
		g.with("Authorization", "nonsense.1").refused(t, "/v3/kv/range", o{"key": g.key("k")}, 401, 16, badToken)
	}},
	{"a token works raw, and since 3.5 behind Bearer", func(t *testing.T, g *gateway) {
		token := g.token(t, "root", rootPassword)
		g.with("Authorization", token).put(t, "k", "raw")
		bearer := g.with("Authorization", "Bearer "+token)
		if g.minor < 5 {
			bearer.refused(t, "/v3/kv/put", o{"key": g.key("k")}, 401, 16, badToken)
			return
		}
		bearer.put(t, "k", "bearer")
	}},
	{"every authentication gives another token, and all are good", func(t *testing.T, g *gateway) {
		one, two := g.token(t, "root", rootPassword), g.token(t, "root", rootPassword)
		if one == two {
			t.Error("two tokens are the same")
		}
		g.with("Authorization", one).put(t, "k", "")
		g.with("Authorization", two).put(t, "k", "")
	}},
	{"a WebSocket takes its token from the subprotocol, not from a header, and in 3.4 from nowhere", func(t *testing.T, g *gateway) {
		root := g.as(t, "root", rootPassword)
		w := root.watchSocket(t)
		g.isRefusedWatch(t, w, o{"key": g.key("k")}, "")
		w = g.webSocket(t, "/v3/watch", "Bearer", g.token(t, "root", rootPassword))
		if g.minor < 5 {
			g.isRefusedWatch(t, w, o{"key": g.key("k")}, watchDenied)
			return
		}
		w.watch(t, o{"key": g.key("k")})
		root.put(t, "k", "")
		w.events(t, 0, 1)
	}},
	{"a WebSocket takes its token from a cookie too, since 3.5", func(t *testing.T, g *gateway) {
		root := g.as(t, "root", rootPassword)
		w := g.with("Cookie", "token="+g.token(t, "root", rootPassword)).watchSocket(t)
		if g.minor < 5 {
			g.isRefusedWatch(t, w, o{"key": g.key("k")}, watchDenied)
			return
		}
		w.watch(t, o{"key": g.key("k")})
		root.put(t, "k", "")
		w.events(t, 0, 1)
	}},
	{"a token of an index that is yet to come is not answered at all", func(t *testing.T, g *gateway) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*quiet)
		defer cancel()
		future := g.with("Authorization", "nonsense.999999999")
		if r, err := future.try(ctx, http.MethodPost, "/v3/kv/range", o{"key": g.key("k")}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the answer is %d %s: %v", r.status, r.body, err)
		}
		r := future.with("Grpc-Timeout", "200m").send(t, http.MethodPost, "/v3/kv/range", o{"key": g.key("k")})
		if r.status == 200 || r.status == 403 {
			t.Errorf("with a deadline of its own: %d %s", r.status, r.body)
		}
	}},
	{"a streaming POST takes its token from the header", func(t *testing.T, g *gateway) {
		root := g.as(t, "root", rootPassword)
		s := root.stream(t, "/v3/watch", o{"create_request": o{"key": g.key("k")}})
		if n := s.next(t); !n.at("created").isTrue() || n.at("canceled").exists() {
			t.Errorf("there came %s", n)
		}
		root.put(t, "k", "")
		s.events(t, 0, 1)
	}},
}}

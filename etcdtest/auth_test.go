package etcdtest

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// authCluster is a cluster with a user u who may read and write [a, b).
func authCluster(t *testing.T, opts ...Option) (*Server, *client) {
	s := New(append(opts, WithAuth("secret"))...)
	c := newClient(t, s)
	c.login("root", "secret")
	c.call("/v3/auth/user/add", obj{"name": "u", "password": "pw"})
	c.call("/v3/auth/role/add", obj{"name": "r"})
	c.call("/v3/auth/role/grant", obj{"name": "r", "perm": obj{"permType": "READWRITE", "key": b64("a"), "range_end": b64("b")}})
	c.call("/v3/auth/user/grant", obj{"user": "u", "role": "r"})
	return s, c
}

func (c *client) login(name, password string) {
	c.t.Helper()
	c.head.Del("Authorization")
	tok, _ := c.call("/v3/auth/authenticate", obj{"name": name, "password": password})["token"].(string)
	require.NotEmpty(c.t, tok)
	c.head.Set("Authorization", tok)
}

func TestAUserReachesItsOwnKeysOnly(t *testing.T) {
	s, c := authCluster(t)
	defer s.Close()
	c.login("u", "pw")
	const denied = "etcdserver: permission denied"
	c.put("a1", "x")
	require.Equal(t, denied, c.refused("/v3/kv/put", obj{"key": b64("b")}))
	require.Equal(t, denied, c.refused("/v3/kv/range", obj{"key": b64("a"), "range_end": b64("c")}))
	require.Equal(t, denied, c.refused("/v3/kv/txn", obj{"compare": []obj{{"key": b64("z")}}}), "a compare reads")
	require.Equal(t, denied, c.refused("/v3/kv/txn", obj{"failure": []obj{{"request_put": obj{"key": b64("z")}}}}),
		"the branch that is not taken counts")
	require.Equal(t, denied, c.refused("/v3/kv/compaction", obj{"revision": "1"}))
	require.Equal(t, denied, c.refused("/v3/auth/user/list", obj{}))
	require.Equal(t, []any{"r"}, c.call("/v3/auth/user/get", obj{"name": "u"})["roles"])

	w := c.watch(obj{"create_request": obj{"key": b64("z")}}, obj{"create_request": obj{"key": b64("a1")}})
	first := w.next()
	require.Equal(t, true, first["canceled"])
	require.Equal(t, "rpc error: code = PermissionDenied desc = etcdserver: permission denied", first["cancel_reason"])
	require.NotContains(t, w.next(), "canceled")
}

func TestAMissingTokenAndAWrongOneAreRefusedDifferently(t *testing.T) {
	s, c := authCluster(t)
	defer s.Close()
	c.head.Del("Authorization")
	status, o, err := c.try("/v3/kv/put", obj{"key": b64("a")})
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, obj{"code": 3.0, "message": "etcdserver: user name is empty"}, o)
	c.head.Set("Authorization", "wrong")
	status, o, err = c.try("/v3/lease/grant", obj{"TTL": "5"})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, obj{"code": 16.0, "message": "etcdserver: invalid auth token"}, o)
}

func TestAStaleTokenDoesNotKeepAUserFromGettingANewOne(t *testing.T) {
	s, c := authCluster(t)
	defer s.Close()
	c.head.Set("Authorization", "stale")
	rep := c.call("/v3/auth/authenticate", obj{"name": "u", "password": "pw"})
	require.NotEmpty(t, rep["token"])
	require.Equal(t, "etcdserver: authentication failed, invalid user ID or password",
		c.refused("/v3/auth/authenticate", obj{"name": "u", "password": "other"}))
}

func TestATokenLivesAsLongAsItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := authCluster(t, WithTokenTTL(time.Minute))
		defer s.Close()
		defer c.http.CloseIdleConnections()
		for range 3 {
			time.Sleep(50 * time.Second)
			c.put("a", "")
		}
		time.Sleep(time.Minute)
		require.Equal(t, "etcdserver: invalid auth token", c.refused("/v3/kv/put", obj{"key": b64("a")}))
	})
}

func TestARestartedMemberKnowsNoTokens(t *testing.T) {
	s, c := authCluster(t, WithMembers(3))
	defer s.Close()
	s.Kill(1)
	s.Restart(1)
	c.put("a", "")
	c.url = s.URLs()[1]
	require.Equal(t, "etcdserver: invalid auth token", c.refused("/v3/kv/put", obj{"key": b64("a")}))
}

func TestATokenFromTheFutureWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := authCluster(t)
		defer s.Close()
		defer c.http.CloseIdleConnections()
		c.head.Set("Authorization", "abcdefghijklmnop.99999")
		c.head.Set("Grpc-Timeout", "1S")
		start := time.Now()
		require.Equal(t, "context deadline exceeded", c.refused("/v3/kv/put", obj{"key": b64("a")}))
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestASocketTakesItsTokenFromTheSubprotocol(t *testing.T) {
	s, c := authCluster(t)
	defer s.Close()
	c.login("u", "pw")
	ws := c.socket(t, "Bearer", c.head.Get("Authorization"))
	ws.send(obj{"create_request": obj{"key": b64("a")}})
	require.NotContains(t, ws.next(), "canceled")
	s.ExpireTokens()
	ws.send(obj{"create_request": obj{"key": b64("a")}})
	require.Equal(t, "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", ws.next()["cancel_reason"])
	s.Put("a", nil)
	require.Len(t, ws.next()["events"], 1, "the watch that was there lives on")
}

func TestRenewingALeaseNeedsPermissionOnItsKeys(t *testing.T) {
	s, c := authCluster(t)
	defer s.Close()
	c.call("/v3/lease/grant", obj{"TTL": "60", "ID": "7"})
	c.call("/v3/kv/put", obj{"key": b64("z"), "lease": "7"})
	c.login("u", "pw")
	status, _, err := c.try("/v3/lease/keepalive", obj{"ID": "7"})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status)
}

func TestPermissionsTogetherCoverARange(t *testing.T) {
	ab, bc, from := span{"a", "b"}, span{"b", "c"}, span{"b", "\x00"}
	require.True(t, covered(span{"a", "c"}, []span{bc, ab}))
	require.True(t, covered(span{"a", "\x00"}, []span{ab, from}))
	require.True(t, covered(span{key: "b5"}, []span{ab, bc}))
	require.False(t, covered(span{"a", "d"}, []span{ab, bc}))
	require.False(t, covered(span{"a", "\x00"}, []span{ab, bc}))
	require.False(t, covered(span{"a", "c"}, []span{{"a", "a5"}, bc}))
	require.False(t, covered(span{key: "c"}, []span{ab, bc}))
}

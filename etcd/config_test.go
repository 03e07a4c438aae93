package etcd

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestEndpointsAreCompletedAndListedOnce(t *testing.T) {
	for _, test := range []struct {
		in     []string
		secure bool
		want   []string
	}{
		{nil, false, []string{"http://127.0.0.1:2379"}},
		{[]string{"h"}, false, []string{"http://h:2379"}},
		{[]string{"h"}, true, []string{"https://h:2379"}},
		{[]string{"http://h", "https://h"}, false, []string{"http://h:80", "https://h:443"}},
		{[]string{"h:1", "http://h:1/", "http://h:1"}, false, []string{"http://h:1"}},
		{[]string{"[::1]:1", "[::1]"}, false, []string{"http://[::1]:1", "http://[::1]:2379"}},
	} {
		cfg := Config{Endpoints: test.in}
		if test.secure {
			cfg.TLS.Base = &tls.Config{}
		}
		c, err := New(cfg)
		require.NoError(t, err)
		require.Equal(t, test.want, c.Endpoints())
		require.NoError(t, c.Close())
	}
}

func TestAConfigurationThatMakesNoSenseIsAnErrorOfNewThatSaysWhy(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	endpoint := func(s string) Config { return Config{Endpoints: []string{"http://good:1", s}} }
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"empty endpoint":    {endpoint(""), "endpoint 2"},
		"space around":      {endpoint(" h:1"), "space around"},
		"space within":      {endpoint("h h:1"), "endpoint 2"},
		"no host":           {endpoint("http://"), "no host"},
		"only a port":       {endpoint(":2379"), "no host"},
		"another scheme":    {endpoint("unix:///tmp/x"), "the scheme is not http or https"},
		"a typo":            {endpoint("htp://h:1"), "the scheme is not http or https"},
		"a path":            {endpoint("http://h:1/v3"), "no path, query or fragment"},
		"a query":           {endpoint("http://h:1?x"), "no path, query or fragment"},
		"a word for a port": {endpoint("http://h:port"), "no URL"},
		"a port too high":   {endpoint("http://h:99999"), "the port is no port"},
		"two colons":        {endpoint("http://a:b:c"), "no URL"},
		"a control byte":    {endpoint("http://h\x00:1"), "no URL"},
		"user and password": {endpoint("http://u:canary@h:1"), "belong in Username and Password"},
		"a trick":           {endpoint("u:canary://x@h:1"), "endpoint 2"},
		"over-long":         {endpoint(long + "://"), "endpoint 2"},
		"password alone":    {Config{Password: "canary"}, "password without a user name"},
		"password in clear": {Config{Endpoints: []string{"http://10.0.0.1:1"}, Username: "u", Password: "canary"}, "use https or set AllowInsecureAuth"},
		"negative attempt":  {Config{AttemptTimeout: -1}, "AttemptTimeout is negative"},
		"negative dial":     {Config{DialTimeout: -time.Second}, "DialTimeout is negative: -1s"},
		"negative reply":    {Config{MaxReplyBytes: -1}, "MaxReplyBytes"},
		"negative buffer":   {Config{WatchBufferBytes: -1}, "WatchBufferBytes"},
	} {
		c, err := New(test.cfg)
		require.ErrorIs(t, err, ErrInvalid, name)
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), "canary", name)
		require.Less(t, len(err.Error()), 1000, name)
		require.True(t, SafeToRetry(err), name)
		require.Nil(t, c, name)
	}
}

func TestCredentialsGoToLoopbackAndOverTLSUnasked(t *testing.T) {
	for _, ep := range []string{"http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://10.0.0.1:1"} {
		c, err := New(Config{Endpoints: []string{ep}, Username: "u", Password: "p"})
		require.NoError(t, err, ep)
		require.NoError(t, c.Close())
	}
	for _, ep := range []string{"http://localhost.example:1", "http://127.0.0.1.example:1", "http://0.0.0.0:1"} {
		_, err := New(Config{Endpoints: []string{ep}, Username: "u", Password: "p"})
		require.ErrorIs(t, err, ErrInvalid, ep)
	}
	c, err := New(Config{Endpoints: []string{"http://10.0.0.1:1"}, Username: "u", Password: "p", AllowInsecureAuth: true})
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// What users get wrong in calls: the error names the operation and what it was
// about, is no wall of text, and nothing was sent.
func TestBadArgumentsAreErrorsThatNameTheCallAndSendNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		_, getEmpty := c.Get(ctx, Key(""))
		_, getNone := c.Get(ctx, KeySet{})
		_, getRange := c.Get(ctx, Range("b", "a"))
		_, getLimit := c.Get(ctx, Key("k"), WithLimit(-1))
		_, putEmpty := c.Put(ctx, "", nil)
		_, putIgnore := c.Put(ctx, "k", []byte("v"), IgnoreValue())
		_, deleteNone := c.Delete(ctx, KeySet{})
		_, txnEmpty := c.Txn(ctx, Txn{If: []Cmp{{}}})
		_, grantZero := c.Grant(ctx, 0)
		_, grantNegative := c.Grant(ctx, -time.Second)
		_, watchNone := c.Watch(ctx, KeySet{})
		for op, err := range map[string]error{
			"get \"\"": getEmpty, "get no keys": getNone, `get ["b", "a")`: getRange, `get "k"`: getLimit,
			`put ""`: putEmpty, `put "k"`: putIgnore, "delete": deleteNone, "txn": txnEmpty,
			"lease grant: the time to live must be positive: 0s":  grantZero,
			"lease grant: the time to live must be positive: -1s": grantNegative,
			"watch": watchNone, "compact at revision 0": c.Compact(ctx, 0, false),
		} {
			require.ErrorIs(t, err, ErrInvalid, op)
			require.ErrorContains(t, err, "etcd: "+op)
			require.True(t, SafeToRetry(err), op)
		}
		require.Empty(t, srv.Requests())
	})
}

func TestOverLongNamesAndKeysAreRefusedInFewWords(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		long := strings.Repeat("k", 3<<20)
		_, put := c.Put(ctx, long, nil)
		require.ErrorIs(t, put, ErrTooLarge)
		_, user := c.User(ctx, long)
		for name, err := range map[string]error{
			"put": put, "user": user, "role": c.RoleAdd(ctx, long), "add": c.UserAdd(ctx, long, "p"),
			"grant": c.RoleGrant(ctx, long, Key(long), Read),
		} {
			require.Error(t, err, name)
			require.Less(t, len(err.Error()), 1000, name)
			require.NotErrorIs(t, err, ErrUnknownOutcome, name)
		}
	})
}

func TestAWebServerAndAnOldEtcdAreToldApart(t *testing.T) {
	for version, kind := range map[string]error{"": ErrNotEtcd, `{"etcdserver":"3.3.27"}`: ErrTooOld} {
		c := newForeignClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/version" && version != "" {
				_, _ = w.Write([]byte(version)) // a client that has gone need not be heard
				return
			}
			http.NotFound(w, r)
		}))
		_, put := c.Put(t.Context(), "k", nil)
		_, get := c.Get(t.Context(), Key("k"))
		_, session := NewSession(t.Context(), c)
		_, status := c.Status(t.Context(), c.Endpoints()[0])
		for _, err := range []error{put, get, session, status} {
			require.ErrorIs(t, err, kind)
			require.ErrorContains(t, err, c.Endpoints()[0])
		}
	}
}

package conformance

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds the wait for what must come; quiet is how long nothing may
// come where nothing must.
const (
	patience = 2 * time.Minute
	quiet    = 300 * time.Millisecond
)

// o and a write JSON bodies.
type (
	o = map[string]any
	a = []any
)

// b64 writes bytes as the gateway wants them.
func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// gateway speaks to one server within one test.
type gateway struct {
	Server
	minor  int // of the version: 4, 5, 6 or 7
	target Target
	http   *http.Client
	header http.Header // sent with every request
	prefix string      // of the keys of this test
}

var prefixes atomic.Int64

func newGateway(t *testing.T, target Target, options Options) *gateway {
	g := &gateway{Server: target.New(t, options), target: target, header: http.Header{}}
	parts := strings.Split(target.Version, ".")
	if len(parts) < 2 {
		t.Fatalf("version %q", target.Version)
	}
	var err error
	if g.minor, err = strconv.Atoi(parts[1]); err != nil {
		t.Fatalf("version %q: %v", target.Version, err)
	}
	transport := &http.Transport{DialContext: g.Dial, ForceAttemptHTTP2: options.TLS, MaxIdleConnsPerHost: 16}
	if options.TLS {
		transport.TLSClientConfig = &tls.Config{RootCAs: g.Roots}
	}
	t.Cleanup(transport.CloseIdleConnections)
	g.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return g
}

// forTest gives a test a prefix of its own.
func (g *gateway) forTest(*testing.T) *gateway {
	c := *g
	c.header = g.header.Clone()
	c.prefix = fmt.Sprintf("fact-%03d/", prefixes.Add(1))
	return &c
}

// with returns a gateway that sends one more header.
func (g *gateway) with(name, value string) *gateway {
	c := *g
	c.header = g.header.Clone()
	c.header.Set(name, value)
	return &c
}

// key returns a key of this test, as it stands in JSON.
func (g *gateway) key(name string) string { return b64(g.prefix + name) }

// end returns the end of the range of all keys of this test.
func (g *gateway) end() string { return b64(g.prefix[:len(g.prefix)-1] + "0") }

// own is the range of all keys of this test, and what else is given.
func (g *gateway) own(more o) o {
	out := o{"key": g.key(""), "range_end": g.end()}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// reply is an answer to a request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) json(t testing.TB) node {
	t.Helper()
	n, err := parse(r.body)
	if err != nil {
		t.Fatalf("%d: %v in %q", r.status, err, r.body)
	}
	return n
}

// request sends a body: a string as it is, all else as JSON.
func (g *gateway) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.URL+path, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header = g.header.Clone()
	return req, nil
}

func (g *gateway) try(ctx context.Context, method, path string, body any) (reply, error) {
	req, err := g.request(ctx, method, path, body)
	if err != nil {
		return reply{}, err
	}
	res, err := g.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, b}, err
}

func (g *gateway) send(t testing.TB, method, path string, body any) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := g.try(ctx, method, path, body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r
}

// post sends a request that must be answered with 200.
func (g *gateway) post(t testing.TB, path string, body any) node {
	t.Helper()
	r := g.send(t, http.MethodPost, path, body)
	if r.status != http.StatusOK {
		t.Fatalf("%s: %d: %s", path, r.status, r.body)
	}
	return r.json(t)
}

// refused sends a request that must be answered with an error. An empty message
// stands for any.
func (g *gateway) refused(t testing.TB, path string, body any, status, code int, message string) {
	t.Helper()
	g.isError(t, path, g.send(t, http.MethodPost, path, body), status, code, message)
}

func (g *gateway) isError(t testing.TB, path string, r reply, status, code int, message string) {
	t.Helper()
	if r.status != status {
		t.Errorf("%s: status %d, want %d: %s", path, r.status, status, r.body)
		return
	}
	n := r.json(t)
	if got := n.at("code").int(t); got != int64(code) {
		t.Errorf("%s: code %d, want %d: %s", path, got, code, r.body)
	}
	if got := n.at("message").str(t); got != message && message != "" {
		t.Errorf("%s: message %q, want %q", path, got, message)
	}
	switch {
	case g.minor < 6 && !n.at("error").is(n.at("message").value):
		t.Errorf("%s: error and message are not the same: %s", path, r.body)
	case g.minor > 5 && n.at("error").exists():
		t.Errorf("%s: there is a member \"error\": %s", path, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: content type %q", path, got)
	}
}

func (g *gateway) put(t testing.TB, name, value string) int64 {
	t.Helper()
	return revision(t, g.post(t, "/v3/kv/put", o{"key": g.key(name), "value": b64(value)}))
}

// get returns the one key, or a node that does not exist.
func (g *gateway) get(t testing.TB, name string) node {
	t.Helper()
	return g.post(t, "/v3/kv/range", o{"key": g.key(name)}).at("kvs", 0)
}

func (g *gateway) delete(t testing.TB, name string) int64 {
	t.Helper()
	return revision(t, g.post(t, "/v3/kv/deleterange", o{"key": g.key(name)}))
}

// value checks the value of one key; "-" means that there is no such key.
func (g *gateway) value(t testing.TB, name, want string) {
	t.Helper()
	kv := g.get(t, name)
	got := "-"
	if kv.exists() {
		got = kv.at("value").bytes(t)
	}
	if got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// revision returns the revision of a reply's header.
func revision(t testing.TB, n node) int64 {
	t.Helper()
	return n.at("header", "revision").int64(t)
}

// keys returns the keys of a range's reply without the test's prefix.
func (g *gateway) keys(t testing.TB, n node) string {
	t.Helper()
	var out []string
	for i := range n.at("kvs").length() {
		out = append(out, strings.TrimPrefix(n.at("kvs", i, "key").bytes(t), g.prefix))
	}
	return strings.Join(out, " ")
}

package etcdtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// client speaks raw JSON to one server.
type client struct {
	t    testing.TB
	http *http.Client
	url  string
	head http.Header
}

func newClient(t testing.TB, s *Server) *client {
	tr := &http.Transport{DialContext: s.Dial}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t: t, http: &http.Client{Transport: tr}, url: s.URL(), head: http.Header{}}
}

type obj = map[string]any

// try posts a request and returns status and reply.
func (c *client) try(path string, body any) (int, obj, error) {
	return c.tryCtx(context.Background(), path, body)
}

func (c *client) tryCtx(ctx context.Context, path string, body any) (int, obj, error) {
	b, ok := body.(string)
	if !ok {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		b = string(raw)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader([]byte(b)))
	require.NoError(c.t, err)
	req.Header = c.head.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, nil, err
	}
	var o obj
	if err := json.Unmarshal(raw, &o); err != nil {
		return resp.StatusCode, obj{"text": string(raw)}, err
	}
	return resp.StatusCode, o, nil
}

// call posts a request that must succeed.
func (c *client) call(path string, body any) obj {
	c.t.Helper()
	status, o, err := c.try(path, body)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, status, "%v", o)
	return o
}

// refused posts a request that must fail, and returns the message.
func (c *client) refused(path string, body any) string {
	c.t.Helper()
	status, o, err := c.try(path, body)
	require.NoError(c.t, err)
	require.NotEqual(c.t, http.StatusOK, status, "%v", o)
	msg, _ := o["message"].(string)
	return msg
}

func (c *client) put(key, value string) obj {
	c.t.Helper()
	return c.call("/v3/kv/put", obj{"key": b64(key), "value": b64(value)})
}

func (c *client) get(key string) (string, bool) {
	c.t.Helper()
	kvs := list(c.call("/v3/kv/range", obj{"key": b64(key)})["kvs"])
	if len(kvs) == 0 {
		return "", false
	}
	return unb64(kvs[0]["value"]), true
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func unb64(v any) string {
	s, _ := v.(string)
	b, _ := base64.StdEncoding.DecodeString(s)
	return string(b)
}

func list(v any) []obj {
	l, _ := v.([]any)
	out := make([]obj, len(l))
	for i, e := range l {
		out[i], _ = e.(obj)
	}
	return out
}

func revision(o obj) string {
	h, _ := o["header"].(obj)
	rev, _ := h["revision"].(string)
	return rev
}

// stream is an open POST watch.
type watchClient struct {
	t    testing.TB
	resp *http.Response
	dec  *json.Decoder
	stop context.CancelFunc
}

// watch opens a watch stream with the given requests in its body.
func (c *client) watch(requests ...any) *watchClient {
	c.t.Helper()
	var body bytes.Buffer
	for _, r := range requests {
		require.NoError(c.t, json.NewEncoder(&body).Encode(r))
	}
	ctx, stop := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v3/watch", &body)
	require.NoError(c.t, err)
	req.Header = c.head.Clone()
	resp, err := c.http.Do(req)
	require.NoError(c.t, err)
	w := &watchClient{c.t, resp, json.NewDecoder(resp.Body), stop}
	c.t.Cleanup(w.close)
	return w
}

func (w *watchClient) close() {
	w.stop()
	w.resp.Body.Close()
}

// next returns the next message's result.
func (w *watchClient) next() obj {
	w.t.Helper()
	var o obj
	require.NoError(w.t, w.dec.Decode(&o))
	r, ok := o["result"].(obj)
	require.True(w.t, ok, "%v", o)
	return r
}

// events returns the events of the next message in short: "+key=value@rev" or
// "-key@rev".
func (w *watchClient) events() []string {
	w.t.Helper()
	var out []string
	for _, e := range list(w.next()["events"]) {
		kv, _ := e["kv"].(obj)
		rev, _ := kv["mod_revision"].(string)
		if e["type"] == "DELETE" {
			out = append(out, "-"+unb64(kv["key"])+"@"+rev)
		} else {
			out = append(out, "+"+unb64(kv["key"])+"="+unb64(kv["value"])+"@"+rev)
		}
	}
	return out
}

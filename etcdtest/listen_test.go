package etcdtest

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestTCPAndInProcessConnectionsReachOneCluster(t *testing.T) {
	s := Start(t, WithMembers(2))
	c := newClient(t, s)
	c.put("a", "1")
	url, err := s.ListenMember(1)
	require.NoError(t, err)
	hc := &http.Client{Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	tcp := &client{t: t, http: hc, url: url, head: http.Header{}}
	v, _ := tcp.get("a")
	require.Equal(t, "1", v)

	s.Kill(1)
	_, _, err = tcp.try("/v3/kv/range", obj{"key": b64("a")})
	require.Error(t, err)
	s.Restart(1)
	v, _ = tcp.get("a")
	require.Equal(t, "1", v)

	_, err = s.ListenMember(2)
	require.Error(t, err)
	s.Close()
	_, err = s.Listen()
	require.Error(t, err)
}

func TestHTTP2CarriesOutWatchRequestsAsTheyCome(t *testing.T) {
	s := Start(t, WithTLS(nil))
	url, err := s.Listen()
	require.NoError(t, err)
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: s.ClientTLS(), ForceAttemptHTTP2: true}}
	defer hc.CloseIdleConnections()
	body, requests := io.Pipe()
	defer requests.Close()
	send := func(line string) {
		_, err := io.WriteString(requests, line)
		require.NoError(t, err)
	}
	go io.WriteString(requests, `{"create_request":{"key":"YQ=="}}`)
	resp, err := hc.Post(url+"/v3/watch", "application/json", body)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 2, resp.ProtoMajor)
	w := &watchClient{t: t, resp: resp, dec: json.NewDecoder(resp.Body)}
	require.Equal(t, true, w.next()["created"])
	s.Put("a", []byte("1"))
	require.Equal(t, []string{"+a=1@2"}, w.events())
	send(`{"progress_request":{}}`)
	require.Equal(t, "-1", w.next()["watch_id"])
	send(`{"cancel_request":{}}`)
	require.Equal(t, true, w.next()["canceled"])
}

func TestTLSWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(WithTLS(nil))
		defer s.Close()
		c := newClient(t, s)
		tr := &http.Transport{DialContext: s.Dial, TLSClientConfig: s.ClientTLS()}
		defer tr.CloseIdleConnections()
		c.http = &http.Client{Transport: tr}
		require.True(t, strings.HasPrefix(s.URL(), "https://"))
		c.put("a", "1")
		s.Inject(Fault{LoseReply: true})
		_, _, err := c.try("/v3/kv/put", obj{"key": b64("a")})
		require.Error(t, err)
	})
}

func TestAServerWithoutItsOwnCertificateHasNoClientTLS(t *testing.T) {
	require.Nil(t, Start(t).ClientTLS())
	require.Nil(t, Start(t, WithTLS(&tls.Config{MinVersion: tls.VersionTLS12})).ClientTLS())
}

func TestOldVersionsHaveTheirOwnErrorShapes(t *testing.T) {
	for _, tc := range []struct{ version, path, body, want string }{
		{"3.5.35", "/v3/kv/put", `{}`, `{"error":"etcdserver: key is not provided","code":3,"message":"etcdserver: key is not provided"}`},
		{"3.6.14", "/v3/kv/put", `{}`, `{"code":3, "message":"etcdserver: key is not provided"}`},
		{"3.5.35", "/v3/nosuch", `{}`, "Not Found\n"},
		{"3.7.3", "/v3/nosuch", `{}`, `{"code":5, "message":"Not Found"}`},
		{"3.5.35", "/nosuch", `{}`, "404 page not found\n"},
	} {
		s := Start(t, WithVersion(tc.version))
		resp, err := newClient(t, s).http.Post(s.URL()+tc.path, "application/json", strings.NewReader(tc.body))
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, tc.want, string(b), "%s %s", tc.version, tc.path)
	}
	for version, want := range map[string]string{
		"3.5.35": `{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable"}}`,
		"3.7.3":  `{"error":{"code":14,"message":"etcdserver: no leader"}}` + "\n",
	} {
		s := Start(t, WithVersion(version))
		require.Equal(t, want, string(s.errorFrame(errNoLeader)), version)
	}
}

func TestADoubledSlashIsRedirectedAndAnOldPrefixIsAnAlias(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.http.Post(s.URL()+"/v3//kv/range", "", strings.NewReader("{}"))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
	require.Equal(t, "/v3/kv/range", resp.Header.Get("Location"))
	c.call("/v3beta/kv/range", obj{"key": b64("a")})
	get, err := c.http.Get(s.URL() + "/v3/kv/range")
	require.NoError(t, err)
	get.Body.Close()
	require.Equal(t, http.StatusNotImplemented, get.StatusCode)
}

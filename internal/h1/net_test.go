package h1

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers with what it was sent.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
})

func newPool(t testing.TB, host string, cfg Config) *Pool {
	pool, err := New(host, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	return pool
}

func trusting(srv *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func TestManyCallersShareAServer(t *testing.T) {
	plain := httptest.NewServer(echo)
	defer plain.Close()
	secure := httptest.NewTLSServer(echo)
	defer secure.Close()
	for _, pool := range []*Pool{
		newPool(t, plain.Listener.Addr().String(), Config{MaxIdle: 4}),
		newPool(t, secure.Listener.Addr().String(), Config{MaxIdle: 4, TLS: trusting(secure)}),
	} {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 25 {
					body := strings.Repeat(string(rune('a'+g)), i*3000)
					r, err := pool.Do(t.Context(), &Request{Path: "/", Body: []byte(body), Timeout: time.Minute})
					if err != nil || string(r.Body) != body {
						t.Errorf("%d bytes of %d: %v", len(r.Body), len(body), err)
						return
					}
					r.Release()
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, len(pool.idle), 4)
		require.Len(t, pool.conns, len(pool.idle))
	}
}

func TestASocketThatTheServerClosedWhileIdleIsNotUsed(t *testing.T) {
	plain := httptest.NewServer(echo)
	defer plain.Close()
	secure := httptest.NewTLSServer(echo)
	defer secure.Close()
	for _, srv := range []*httptest.Server{plain, secure} {
		var cfg Config
		if srv == secure {
			cfg.TLS = trusting(srv)
		}
		pool := newPool(t, srv.Listener.Addr().String(), cfg)
		for range 3 {
			_, err := pool.Do(t.Context(), putRequest)
			require.NoError(t, err)
			c := pool.idle[0]
			require.True(t, c.probe())
			require.True(t, c.probe(), "probing must not change what it finds")
			srv.CloseClientConnections()
			// The end arrives a moment after it was sent.
			require.Eventually(t, func() bool { return !c.probe() }, time.Minute, time.Millisecond)
		}
	}
}

func TestTLSFailuresSendNothing(t *testing.T) {
	secure := httptest.NewUnstartedServer(echo)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(echo)
	defer plain.Close()
	for _, pool := range []*Pool{
		newPool(t, secure.Listener.Addr().String(), Config{TLS: &tls.Config{RootCAs: x509.NewCertPool()}}),
		newPool(t, plain.Listener.Addr().String(), Config{TLS: trusting(secure)}),
	} {
		_, err := pool.Do(t.Context(), putRequest)
		e := failure(t, err)
		require.False(t, e.Sent)
		require.Equal(t, "TLS handshake", e.Op)
		require.Empty(t, pool.conns)
	}
}

func TestTLSOverPipesLivesInABubble(t *testing.T) {
	secure := httptest.NewTLSServer(echo) // for its certificate only
	cfg := secure.TLS.Clone()
	client := trusting(secure)
	client.ServerName = "example.com"
	secure.Close()
	// The certificate's dates are far from the bubble's clock.
	now := time.Now()
	client.Time = func() time.Time { return now }
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		peer, pool := newPeer(t, Config{TLS: client}, func(c *peerConn) {
			tc := tls.Server(c.Conn, cfg)
			c = &peerConn{Conn: tc, r: c.r}
			c.r.Reset(tc)
			for range 2 {
				if _, _, ok := c.request(); !ok {
					return
				}
				c.say(okReply)
			}
			c.request()
			<-hang
		})
		for range 2 {
			_, err := pool.Do(t.Context(), putRequest)
			require.NoError(t, err)
		}
		require.Equal(t, 1, peer.dialled())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := pool.Do(ctx, putRequest)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start), "no farewell of TLS may hold up a cancelled call")
		close(hang)
	})
}

func TestADialledConnectionBelongsToTheCaller(t *testing.T) {
	secure := httptest.NewUnstartedServer(echo)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	pool := newPool(t, secure.Listener.Addr().String(), Config{TLS: trusting(secure)})
	nc, err := pool.Dial(t.Context(), "h2", "http/1.1")
	require.NoError(t, err)
	tc, ok := nc.(*tls.Conn)
	require.True(t, ok)
	require.Equal(t, "h2", tc.ConnectionState().NegotiatedProtocol)
	require.NoError(t, tc.Close())

	plain := httptest.NewServer(echo)
	defer plain.Close()
	pool = newPool(t, plain.Listener.Addr().String(), Config{})
	nc, err = pool.Dial(t.Context())
	require.NoError(t, err)
	require.IsType(t, (*net.TCPConn)(nil), nc)
	require.NoError(t, pool.Close())
	_, err = nc.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	require.NoError(t, nc.Close())
}

// proxyFor is a proxy's end of a connection: it says reply to a CONNECT, and
// then serves the tunnel itself.
func proxyFor(t *testing.T, reply string, connects chan<- *http.Request) func(c *peerConn) {
	return func(c *peerConn) {
		req, err := http.ReadRequest(c.r)
		if err != nil {
			return
		}
		connects <- req
		c.say(reply)
		replies(okReply)(c)
	}
}

func TestAProxyIsAskedForATunnel(t *testing.T) {
	connects := make(chan *http.Request, 1)
	proxy, err := url.Parse("http://user:s3cret@proxy")
	require.NoError(t, err)
	var dialled string
	_, pool := newPeer(t, Config{Proxy: func(host string) (*url.URL, error) {
		require.Equal(t, "member:2379", host)
		return proxy, nil
	}}, proxyFor(t, "HTTP/1.1 200 Connection established\r\n\r\n", connects))
	dial := pool.cfg.Dial
	pool.cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled = addr
		return dial(ctx, network, addr)
	}
	r, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	require.Equal(t, "{}", string(r.Body))
	require.Equal(t, "proxy:80", dialled)
	req := <-connects
	require.Equal(t, "CONNECT", req.Method)
	require.Equal(t, "member:2379", req.RequestURI)
	require.Equal(t, "Basic dXNlcjpzM2NyZXQ=", req.Header.Get("Proxy-Authorization"))
}

func TestAProxyThatRefusesMeansThatNothingWasSent(t *testing.T) {
	for name, reply := range map[string]string{
		"refusal":      "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
		"garbage":      "hello\r\n\r\n",
		"silence":      "",
		"too talkable": "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK",
	} {
		t.Run(name, func(t *testing.T) {
			proxy, _ := url.Parse("http://user:s3cret@proxy:3128")
			_, pool := newPeer(t, Config{Proxy: func(string) (*url.URL, error) { return proxy, nil }}, func(c *peerConn) {
				http.ReadRequest(c.r)
				c.say(reply)
			})
			_, err := pool.Do(t.Context(), putRequest)
			e := failure(t, err)
			require.False(t, e.Sent)
			require.Equal(t, "proxy", e.Op)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestAProxyThatDoesNotAnswerIsInterruptedByTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy, _ := url.Parse("http://proxy:3128")
		_, pool := newPeer(t, Config{Proxy: func(string) (*url.URL, error) { return proxy, nil }}, func(c *peerConn) {
			http.ReadRequest(c.r)
			c.request()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := pool.Do(ctx, putRequest)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, failure(t, err).Sent)
	})
}

func TestAProxyOfAnotherKindIsRefusedWithoutShowingItsPassword(t *testing.T) {
	for _, raw := range []string{"https://user:s3cret@proxy", "socks5://user:s3cret@proxy", "http://user:s3cret@"} {
		proxy, err := url.Parse(raw)
		require.NoError(t, err)
		pool := newPool(t, "member:2379", Config{Proxy: func(string) (*url.URL, error) { return proxy, nil }})
		_, err = pool.Do(t.Context(), putRequest)
		require.ErrorIs(t, err, ErrRequest)
		require.False(t, failure(t, err).Sent)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

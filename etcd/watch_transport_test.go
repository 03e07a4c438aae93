package etcd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A front is what stands before a server: TLS, a proxy, or both.
type front struct {
	h      http.Handler
	server *http.Server
	conns  chan net.Conn
	closed chan struct{}
}

// newFront serves h over connections inside the process; with protocols, over
// TLS that offers them.
func newFront(t *testing.T, h http.Handler, protocols ...string) *front {
	t.Helper()
	f := &front{h: h, conns: make(chan net.Conn), closed: make(chan struct{})}
	f.server = &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	serve := func() { _ = f.server.Serve(f) }
	if len(protocols) > 0 {
		f.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
		f.server.Protocols = new(http.Protocols)
		for _, p := range protocols {
			f.server.Protocols.SetHTTP1(f.server.Protocols.HTTP1() || p == "http/1.1")
			f.server.Protocols.SetHTTP2(f.server.Protocols.HTTP2() || p == "h2")
		}
		serve = func() { _ = f.server.ServeTLS(f, "", "") }
	}
	var wg sync.WaitGroup
	wg.Go(serve)
	t.Cleanup(func() {
		f.server.Close()
		wg.Wait()
	})
	return f
}

func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *front) Close() error   { close(f.closed); return nil }
func (f *front) Addr() net.Addr { return &net.TCPAddr{} }

func (f *front) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case f.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"etcd.test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A transportLog is a hook that remembers what connections were opened.
type transportLog struct {
	mu  sync.Mutex
	log []string
}

func (l *transportLog) note(i etcd.WatchConnInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i.Open {
		l.log = append(l.log, i.Transport)
	}
}

func (l *transportLog) opened() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.log)
}

// noUpgrade passes on plain requests only.
func noUpgrade(h http.Handler, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			if status == 0 {
				panic(http.ErrAbortHandler) // the connection breaks
			}
			http.Error(w, "no", status)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// wholeRequests reads the body of a request before it passes it on.
func wholeRequests(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && r.URL.Path == "/v3/watch" {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Error(w, "too late", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func TestWatchesWorkOverEveryTransport(t *testing.T) {
	for _, test := range []struct {
		name      string
		protocols []string
		before    func(http.Handler) http.Handler
		want      string
		within    time.Duration // for the first watch to be there
	}{
		{"HTTP/2 where TLS offers it", []string{"http/1.1", "h2"}, nil, "h2", 0},
		{"WebSocket under TLS without HTTP/2", []string{"http/1.1"}, nil, "websocket", 0},
		{"WebSocket without TLS", nil, nil, "websocket", 0},
		{"requests through a proxy that refuses upgrades", nil, func(h http.Handler) http.Handler { return noUpgrade(h, 403) }, "stream", 0},
		{"requests through a proxy that breaks off upgrades", nil, func(h http.Handler) http.Handler { return noUpgrade(h, 0) }, "stream", 2 * time.Second},
		{"requests through a TLS proxy that refuses upgrades", []string{"http/1.1"}, func(h http.Handler) http.Handler { return noUpgrade(h, 400) }, "stream", 0},
		{"WebSocket through a proxy that waits for the end of HTTP/2 requests", []string{"http/1.1", "h2"}, wholeRequests, "websocket", 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t)
				h := http.Handler(srv)
				if test.before != nil {
					h = test.before(h)
				}
				f := newFront(t, h, test.protocols...)
				scheme := "http"
				if len(test.protocols) > 0 {
					scheme = "https"
				}
				var seen transportLog
				c, err := etcd.New(etcd.Config{
					Endpoints: []string{scheme + "://etcd.test:2379"}, Dial: f.dial,
					TLS:   etcd.TLSConfig{InsecureSkipVerify: true},
					Hooks: etcd.Hooks{Watch: seen.note},
				})
				require.NoError(t, err)
				defer func() { require.NoError(t, c.Close()) }()

				begin := time.Now()
				w := watch(t, c, etcd.Prefix("a/"))
				require.LessOrEqual(t, time.Since(begin), test.within)
				opened := seen.opened()
				require.Equal(t, test.want, opened[len(opened)-1])
				useTransport(t, srv, c, w)
			})
		})
	}
}

// useTransport does with watches what can be done with them.
func useTransport(t testing.TB, srv *etcdtest.Server, c *etcd.Client, w *etcd.Watcher) {
	t.Helper()
	for i := range 3 {
		begin := time.Now()
		srv.Put(fmt.Sprintf("a/%d", i), nil)
		require.Len(t, collect(t, w, 1), 1)
		require.Zero(t, time.Since(begin))
	}
	past := watch(t, c, etcd.Prefix("a/"), etcd.FromRevision(2))
	require.Equal(t, expected(srv, etcd.Prefix("a/"), 2, 4), collect(t, past, 3))
	require.NoError(t, srv.Compact(3))
	require.ErrorIs(t, ended(t, watch(t, c, etcd.Prefix("a/"), etcd.FromRevision(2))), etcd.ErrCompacted)
	bulky := watch(t, c, etcd.Prefix("a/"), etcd.Bulky())
	for i := range 4 {
		srv.DropWatches()
		srv.Put("a/1", fmt.Append(nil, i))
		for _, w := range []*etcd.Watcher{w, past, bulky} {
			require.Contains(t, collect(t, w, 1)[0], fmt.Sprintf("put a/1=%d@", i))
		}
		time.Sleep(10 * time.Second)
	}
	for _, w := range []*etcd.Watcher{past, bulky} {
		w.Close()
	}
	time.Sleep(time.Second)
	require.Equal(t, 1, srv.Watches())
	time.Sleep(time.Hour) // connections are renewed, transports probed again
	srv.Put("a/1", []byte("late"))
	require.Contains(t, collect(t, w, 1)[0], "put a/1=late@")
}

func TestABetterTransportIsTriedAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		refuse := srv.Inject(etcdtest.Fault{
			Path:  "/v3/watch",
			Match: func(r *etcdtest.Request) bool { return r.Body == nil },
			Reply: etcdtest.TextReply(403, "text/html", "<html>no</html>"),
		})
		var seen transportLog
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Hooks.Watch = seen.note })
		w := watch(t, c, etcd.Key("a"))
		time.Sleep(15 * time.Minute)
		require.Equal(t, []string{"stream", "stream"}, seen.opened())
		refuse.Remove()
		for i := range 20 {
			time.Sleep(time.Minute)
			srv.Put("a", fmt.Append(nil, i))
			require.Contains(t, collect(t, w, 1)[0], fmt.Sprintf("=%d@", i))
		}
		require.Equal(t, []string{"stream", "stream", "websocket"}, seen.opened())
		require.Equal(t, 1, srv.Watches())
	})
}

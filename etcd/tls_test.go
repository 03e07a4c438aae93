package etcd

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// tlsServer serves an in-memory etcd over TLS on a port of its own and tells
// the names of the client certificates that were presented.
type tlsServer struct {
	addr string
	hs   *http.Server
	mu   sync.Mutex
	seen []string
}

func startTLS(t *testing.T, cfg *tls.Config) *tlsServer {
	t.Helper()
	s := &tlsServer{}
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		name := ""
		if len(cs.PeerCertificates) > 0 {
			name = cs.PeerCertificates[0].Subject.CommonName
		}
		s.mu.Lock()
		s.seen = append(s.seen, name)
		s.mu.Unlock()
		return nil
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	require.NoError(t, err)
	hs := &http.Server{Handler: etcdtest.Start(t), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = hs.Serve(l)
	}()
	t.Cleanup(func() {
		_ = hs.Close()
		<-served
	})
	s.addr, s.hs = l.Addr().String(), hs
	return s
}

func (s *tlsServer) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func newTLSClient(t *testing.T, s *tlsServer, cfg TLSConfig, change ...func(*Config)) *Client {
	t.Helper()
	full := Config{Endpoints: []string{"https://" + s.addr}, TLS: cfg, RetryTimeout: -1}
	for _, f := range change {
		f(&full)
	}
	c, err := New(full)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestACertificateThatWasRenewedOnDiskIsPresentedAtTheNextConnection(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	cfg := ca.serverTLS(t)
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	srv := startTLS(t, cfg)
	certFile, keyFile := ca.issue(t, dir, "client", "first")
	c := newTLSClient(t, srv, TLSConfig{CAFile: ca.writeCA(t, dir), CertFile: certFile, KeyFile: keyFile},
		func(cfg *Config) { cfg.RetryTimeout = 0 })
	get := func() {
		t.Helper()
		_, err := c.Get(t.Context(), Key("k"))
		require.NoError(t, err)
	}
	get()
	ca.issue(t, dir, "client", "second")
	get()
	require.Equal(t, []string{"first"}, srv.names(), "a connection that is there goes on")

	srv.hs.SetKeepAlivesEnabled(false) // ends the connections that are there
	get()
	require.Equal(t, []string{"first", "second"}, srv.names())
}

func TestTheReloaderFollowsTheFilesAndKeepsWhatIsGoodWhileTheyDoNotFit(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	certFile, keyFile := ca.issue(t, dir, "client", "first")
	r := &certReloader{certFile: certFile, keyFile: keyFile}
	name := func() string {
		t.Helper()
		c, err := r.get()
		require.NoError(t, err)
		return c.Leaf.Subject.CommonName
	}
	require.Equal(t, "first", name())
	first, err := r.get()
	require.NoError(t, err)
	again, err := r.get()
	require.NoError(t, err)
	require.Same(t, first, again, "files that did not change are not read again")

	oldKey, err := os.ReadFile(keyFile)
	require.NoError(t, err)
	ca.issue(t, dir, "client", "second")
	newKey, err := os.ReadFile(keyFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keyFile, oldKey, 0o600))
	require.Equal(t, "first", name(), "the certificate is new and the key is old: in the middle of a renewal")
	require.NoError(t, os.WriteFile(keyFile, newKey[:20], 0o600))
	require.Equal(t, "first", name(), "the key is half written")
	require.NoError(t, os.Remove(keyFile))
	require.Equal(t, "first", name(), "the key is not there")
	require.NoError(t, os.WriteFile(keyFile, newKey, 0o600))
	require.Equal(t, "second", name())
}

func TestCertificatesInALinkedDirectoryAreFollowedThroughTheLink(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	for _, v := range []string{"v1", "v2"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, v), 0o700))
		ca.issue(t, filepath.Join(dir, v), "client", v)
	}
	link := filepath.Join(dir, "current")
	require.NoError(t, os.Symlink("v1", link))
	r := &certReloader{certFile: filepath.Join(link, "client.pem"), keyFile: filepath.Join(link, "client-key.pem")}
	c, err := r.get()
	require.NoError(t, err)
	require.Equal(t, "v1", c.Leaf.Subject.CommonName)
	require.NoError(t, os.Symlink("v2", link+".new"))
	require.NoError(t, os.Rename(link+".new", link))
	c, err = r.get()
	require.NoError(t, err)
	require.Equal(t, "v2", c.Leaf.Subject.CommonName)
}

func TestAServerThatKnowsOnlyOldTLSIsRefused(t *testing.T) {
	ca := newAuthority(t)
	cfg := ca.serverTLS(t)
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	srv := startTLS(t, cfg)
	for name, client := range map[string]TLSConfig{
		"default":      {Base: &tls.Config{RootCAs: ca.pool()}},
		"asked for it": {Base: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS10}},
	} {
		c := newTLSClient(t, srv, client)
		_, err := c.Put(t.Context(), "k", nil)
		require.ErrorIs(t, err, ErrUnavailable, name)
		require.ErrorContains(t, err, "version", name)
		require.True(t, SafeToRetry(err), name)
	}
}

func TestAWrongAuthorityIsAClearErrorAndNothingWasSent(t *testing.T) {
	ca, other, dir := newAuthority(t), newAuthority(t), t.TempDir()
	srv := startTLS(t, ca.serverTLS(t))
	c := newTLSClient(t, srv, TLSConfig{CAFile: other.writeCA(t, dir)})
	_, err := c.Put(t.Context(), "k", nil)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	require.ErrorContains(t, err, "https://"+srv.addr)
	require.True(t, SafeToRetry(err))

	c = newTLSClient(t, srv, TLSConfig{CAFile: other.writeCA(t, dir), InsecureSkipVerify: true})
	_, err = c.Put(t.Context(), "k", nil)
	require.NoError(t, err)
}

func TestTheServersNameIsVerified(t *testing.T) {
	ca := newAuthority(t)
	srv := startTLS(t, ca.serverTLS(t))
	base := &tls.Config{RootCAs: ca.pool()}
	c := newTLSClient(t, srv, TLSConfig{Base: base, ServerName: "etcd.example"})
	_, err := c.Put(t.Context(), "k", nil)
	require.NoError(t, err)
	c = newTLSClient(t, srv, TLSConfig{Base: base, ServerName: "other.example"})
	_, err = c.Put(t.Context(), "k", nil)
	require.ErrorContains(t, err, "other.example")
	require.True(t, SafeToRetry(err))
	require.Zero(t, base.MinVersion, "the caller's configuration is left alone")
	require.Empty(t, base.ServerName)
}

func TestACertificateThatIsAskedForAndMissingIsAClearError(t *testing.T) {
	ca := newAuthority(t)
	cfg := ca.serverTLS(t)
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	srv := startTLS(t, cfg)
	c := newTLSClient(t, srv, TLSConfig{Base: &tls.Config{RootCAs: ca.pool()}})
	_, err := c.Get(t.Context(), Key("k"))
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "certificate required")
}

func TestPlainHTTPToATLSPortIsAClearError(t *testing.T) {
	ca := newAuthority(t)
	srv := startTLS(t, ca.serverTLS(t))
	c := newTLSClient(t, srv, TLSConfig{}, func(cfg *Config) { cfg.Endpoints = []string{"http://" + srv.addr} })
	_, err := c.Get(t.Context(), Key("k"))
	require.ErrorIs(t, err, ErrNotEtcd)
	require.ErrorContains(t, err, "http://"+srv.addr)
}

func TestTLSToAPlainPortIsAClearError(t *testing.T) {
	srv := etcdtest.Start(t)
	url, err := srv.Listen()
	require.NoError(t, err)
	c, err := New(Config{Endpoints: []string{"https" + url[len("http"):]}, RetryTimeout: -1})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Put(t.Context(), "k", nil)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "TLS")
	require.True(t, SafeToRetry(err))
}

func TestWrongTLSFilesAreErrorsOfNew(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	certFile, keyFile := ca.issue(t, dir, "client", "c")
	_, otherKey := ca.issue(t, dir, "other", "o")
	junk := filepath.Join(dir, "junk")
	require.NoError(t, os.WriteFile(junk, []byte("canary"), 0o600))
	for name, test := range map[string]struct {
		cfg  TLSConfig
		want string
	}{
		"no such authority":   {TLSConfig{CAFile: filepath.Join(dir, "none")}, "CAFile"},
		"an empty authority":  {TLSConfig{CAFile: junk}, "holds no PEM certificate"},
		"a lone certificate":  {TLSConfig{CertFile: certFile}, "go together"},
		"a lone key":          {TLSConfig{KeyFile: keyFile}, "go together"},
		"no such certificate": {TLSConfig{CertFile: filepath.Join(dir, "none"), KeyFile: keyFile}, "client certificate"},
		"junk":                {TLSConfig{CertFile: junk, KeyFile: keyFile}, "client certificate"},
		"another's key":       {TLSConfig{CertFile: certFile, KeyFile: otherKey}, "does not match"},
	} {
		_, err := New(Config{Endpoints: []string{"https://h:1"}, TLS: test.cfg})
		require.ErrorIs(t, err, ErrInvalid, name)
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), "canary", name)
	}
}

func TestASessionOverTLSLivesAndCloses(t *testing.T) {
	ca := newAuthority(t)
	srv := startTLS(t, ca.serverTLS(t))
	c := newTLSClient(t, srv, TLSConfig{Base: &tls.Config{RootCAs: ca.pool()}})
	s, err := NewSession(t.Context(), c, WithTTL(6*time.Second)) // longer than a busy machine holds it up
	require.NoError(t, err)
	before := s.Deadline()
	require.Eventually(t, func() bool { return s.Deadline().After(before) }, time.Minute, 10*time.Millisecond, "renewed")
	require.NoError(t, s.Err())
	require.NoError(t, s.Close(t.Context()))
}

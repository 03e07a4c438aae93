package etcd

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

const (
	canaryPassword = "canary-password-7f3a"
	canaryToken    = "canary-token-91c2"
	canaryNew      = "canary-new-password-55d0"
	canaryProxy    = "canary-proxy-password-08be"
)

// A witness collects everything that a client says, in every form, and looks
// for secrets in it.
type witness struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets []string
}

func newWitness(secrets ...string) *witness {
	w := &witness{}
	for _, s := range append([]string{canaryPassword, canaryToken, canaryNew, canaryProxy}, secrets...) {
		// As it is, and as it would look in base64, in hex or as bytes.
		if len(s) > 12 {
			w.secrets = append(w.secrets, s[:len(s)-3]) // nor most of it
		}
		w.secrets = append(w.secrets, s, base64.StdEncoding.EncodeToString([]byte(s)), fmt.Sprintf("%x", s), strings.Trim(fmt.Sprint([]byte(s)), "[]"))
	}
	return w
}

func (w *witness) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// sees takes values in, formatted in every way there is.
func (w *witness) sees(values ...any) {
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(w, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			_, _ = w.Write(append(b, '\n'))
		} else {
			fmt.Fprintln(w, err)
		}
		slog.New(slog.NewTextHandler(w, nil)).Info("seen", "value", v)
		slog.New(slog.NewJSONHandler(w, nil)).Info("seen", "value", v)
		if err, ok := v.(error); ok {
			if inner := errors.Unwrap(err); inner != nil {
				w.sees(inner)
			}
			if many, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range many.Unwrap() {
					w.sees(e)
				}
			}
		}
	}
}

func (w *witness) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotZero(t, w.text.Len())
	for _, s := range w.secrets {
		if i := strings.Index(w.text.String(), s); i >= 0 {
			from, to := max(0, i-200), min(w.text.Len(), i+100)
			t.Fatalf("a secret shows: ...%s...", w.text.String()[from:to])
		}
	}
}

// watch makes cfg tell everything to w.
func (w *witness) watch(cfg *Config) {
	cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "ann", canaryPassword, true
	cfg.Logger = slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	cfg.Hooks = Hooks{
		Request: func(i RequestInfo) { w.sees(i, &i, i.Err) },
		Batch:   func(i BatchInfo) { w.sees(i) },
		Watch:   func(i WatchConnInfo) { w.sees(i, i.Err) },
	}
}

// exercise makes every sort of call and shows what comes of it.
func (w *witness) exercise(t *testing.T, c *Client) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	see := func(_ any, err error) { w.sees(err) }
	see(c.Put(ctx, "k", []byte("v")))
	see(c.Get(ctx, Key("k")))
	see(c.Txn(ctx, Txn{Then: []Op{Put("a", nil)}}))
	see(c.Grant(ctx, time.Minute))
	see(c.KeepAlive(ctx, 1))
	see(c.Members(ctx, true))
	see(c.Snapshot(ctx, io.Discard))
	see(c.Status(ctx, c.Endpoints()[0]))
	w.sees(c.Statuses(ctx))
	w.sees(c.UserAdd(ctx, "bob", canaryNew), c.UserChangePassword(ctx, "bob", canaryNew), c.UserDelete(ctx, "bob"))
	s, err := NewSession(ctx, c)
	w.sees(err)
	if s != nil {
		w.sees(s, s.Err())
		w.sees(s.Close(ctx), s.Err(), context.Cause(s.Context()))
	}
	w.sees(c, c.cfg, c.cfg.TLS)
}

func TestSecretsShowNowhereWhateverFails(t *testing.T) {
	echo := func(status int, format string) http.Handler {
		// A server that repeats whatever it was sent, in its words.
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // a client that has gone need not be heard
			if strings.HasSuffix(r.URL.Path, "/authenticate") && status != 401 {
				fmt.Fprintf(rw, `{"token":%q}`, canaryToken)
				return
			}
			rw.WriteHeader(status)
			said, _ := json.Marshal(string(body) + fmt.Sprint(r.Header)) // strings always encode
			fmt.Fprintf(rw, format, said)
		})
	}
	for name, server := range map[string]http.Handler{
		"invalid argument": echo(400, `{"code":3,"message":%s}`),
		"unauthenticated":  echo(401, `{"code":16,"message":%s}`),
		"denied":           echo(403, `{"code":7,"message":%s}`),
		"precondition":     echo(400, `{"error":"x","code":9,"message":%s}`),
		"internal":         echo(500, `{"code":13,"message":%s}`),
		"unavailable":      echo(503, `{"code":14,"message":%s}`),
		"in a stream":      echo(200, `{"error":{"grpc_code":7,"http_code":403,"message":%s,"http_status":"x"}}`),
		"token refused": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authenticate") {
				fmt.Fprintf(rw, `{"token":%q}`, canaryToken)
				return
			}
			rw.WriteHeader(401)
			fmt.Fprintf(rw, `{"code":16,"message":"no good: %s"}`, r.Header.Get("Authorization"))
		}),
		"cut within the secret": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authenticate") {
				fmt.Fprintf(rw, `{"token":%q}`, canaryToken)
				return
			}
			rw.WriteHeader(400)
			fmt.Fprintf(rw, `{"code":3,"message":"%s"}`, strings.Repeat("x", maxMessage-len(canaryToken)+3)+canaryToken)
		}),
		"a page":        echo(404, "<html>%s</html>"),
		"a bad gateway": echo(502, "<html>%s</html>"),
		"not JSON":      echo(200, "%s"),
		"half JSON":     echo(200, `{"result":{"blob":%s`),
		"too long a token": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(rw, `{"token":"%s\r\nX-Injected: 1"}`, canaryToken)
		}),
		"no token": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, `{}`) }),
		"a redirect": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://u:"+canaryPassword+"@elsewhere/", http.StatusTemporaryRedirect)
		}),
		"a cut": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/authenticate") {
				fmt.Fprintf(rw, `{"token":%q}`, canaryToken)
				return
			}
			panic(http.ErrAbortHandler)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWitness()
				c := newForeignClient(t, server, w.watch)
				w.exercise(t, c)
				w.check(t)
			})
		})
	}
}

func TestSecretsShowNowhereWhenAllIsWellOrTheClusterFails(t *testing.T) {
	for name, fault := range map[string]func(*etcdtest.Server){
		"well":    func(*etcdtest.Server) {},
		"expired": func(srv *etcdtest.Server) { srv.ExpireTokens() },
		"paused":  func(srv *etcdtest.Server) { srv.Pause(0) },
		"killed":  func(srv *etcdtest.Server) { srv.Kill(0) },
		"wiped":   func(srv *etcdtest.Server) { srv.Wipe() },
		"garbage": func(srv *etcdtest.Server) {
			srv.Inject(etcdtest.Fault{Reply: etcdtest.TextReply(200, "text/plain", "garbage")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t, etcdtest.WithAuth(canaryPassword))
				w := newWitness()
				c := newTestClient(t, srv, w.watch, func(cfg *Config) { cfg.Username = "root" })
				_, err := c.Put(t.Context(), "k", nil)
				require.NoError(t, err)
				token := c.tokens.token()
				require.NotEmpty(t, token)
				w.secrets = append(w.secrets, token)
				s := newTestSession(t, c)
				fault(srv)
				w.exercise(t, c)
				w.sees(s, s.Err())
				srv.Resume(0)
				w.check(t)
			})
		})
	}
}

func TestAWrongPasswordShowsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, etcdtest.WithAuth("another"))
		w := newWitness()
		c := newTestClient(t, srv, w.watch, func(cfg *Config) { cfg.Username = "root" })
		_, err := c.Put(t.Context(), "k", nil)
		require.ErrorIs(t, err, ErrUnauthenticated)
		w.exercise(t, c)
		w.check(t)
	})
}

func TestAPrivateKeyShowsNowhere(t *testing.T) {
	ca, other, dir := newAuthority(t), newAuthority(t), t.TempDir()
	srv := startTLS(t, ca.serverTLS(t))
	certFile, keyFile := ca.issue(t, dir, "client", "ann")
	raw, err := os.ReadFile(keyFile)
	require.NoError(t, err)
	block, _ := pem.Decode(raw)
	var lines []string
	for _, l := range strings.Split(string(raw), "\n") {
		if len(l) > 20 && !strings.HasPrefix(l, "-") {
			lines = append(lines, l)
		}
	}
	lines = append(lines, string(block.Bytes))
	require.NotEmpty(t, lines)
	for name, cfg := range map[string]TLSConfig{
		"well":            {CAFile: ca.writeCA(t, dir), CertFile: certFile, KeyFile: keyFile},
		"wrong authority": {CAFile: other.writeCA(t, t.TempDir()), CertFile: certFile, KeyFile: keyFile},
		"key as CA":       {CAFile: keyFile},
		"swapped":         {CAFile: ca.writeCA(t, dir), CertFile: keyFile, KeyFile: certFile},
	} {
		w := newWitness(lines...)
		full := Config{Endpoints: []string{"https://" + srv.addr}, TLS: cfg, RetryTimeout: -1}
		w.watch(&full)
		full.Username, full.Password = "", ""
		w.sees(full, &full, cfg, &cfg)
		c, err := New(full)
		w.sees(err)
		if err == nil {
			w.exercise(t, c)
			require.NoError(t, c.Close())
		}
		w.check(t)
		_ = name
	}
}

func TestAConfigShowsNoSecretHoweverItIsShown(t *testing.T) {
	w := newWitness()
	cfg := Config{Endpoints: []string{"http://u:" + canaryPassword + "@h:1"}}
	w.watch(&cfg)
	w.sees(cfg, &cfg, []Config{cfg}, map[string]*Config{"c": &cfg}, struct{ C Config }{cfg}, cfg.String())
	_, err := New(cfg)
	require.ErrorIs(t, err, ErrInvalid)
	w.sees(err)
	w.check(t)
}

func TestAProxysPasswordShowsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWitness()
		proxy := &url.URL{Scheme: "http", Host: "proxy.example:3128", User: url.UserPassword("u", canaryProxy)}
		refusing := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			http.Error(rw, fmt.Sprint(r.Header), http.StatusProxyAuthRequired)
		})
		c := newForeignClient(t, refusing, w.watch, func(cfg *Config) {
			cfg.Proxy = func(*http.Request) (*url.URL, error) { return proxy, nil }
		})
		_, err := c.Put(t.Context(), "k", nil)
		require.Error(t, err)
		w.exercise(t, c)
		w.check(t)

		bad := newForeignClient(t, refusing, w.watch, func(cfg *Config) {
			cfg.Proxy = func(*http.Request) (*url.URL, error) {
				return &url.URL{Scheme: "socks5", Host: "p:1", User: proxy.User}, nil
			}
		})
		w.exercise(t, bad)
		w.check(t)
	})
}

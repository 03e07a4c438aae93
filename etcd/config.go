package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/h1"
)

// Config says how to reach an etcd cluster. The zero Config reaches an etcd
// without authentication at http://127.0.0.1:2379. A Config shows no secret
// when it is formatted or logged.
type Config struct {
	// Endpoints are the URLs of the members' client ports, such as
	// "http://127.0.0.1:2379"; all must belong to one cluster. Without a
	// scheme it is https if TLS is configured and http otherwise. Calls go to
	// one of them as long as it answers. Where the port is left out it is 2379
	// without a scheme, and the scheme's own with one.
	Endpoints []string

	// Username and Password authenticate the client where the cluster asks for
	// it. They are sent over https, to loopback addresses, or, only with
	// AllowInsecureAuth, over plain http.
	Username, Password string
	AllowInsecureAuth  bool

	// TLS configures https endpoints.
	TLS TLSConfig

	// Namespace is a prefix of every key this client reads, writes, watches or
	// compares. Results do not show it, and no operation reaches out of it.
	Namespace string

	// AttemptTimeout bounds a single request to a single member, so that a
	// member that hangs costs a call no more than that. Default 5 s.
	AttemptTimeout time.Duration
	// RetryTimeout is how long a call is tried again while no member can be
	// reached or none has a leader, if its context does not end before.
	// Default 15 s; negative means a single round over the endpoints.
	RetryTimeout time.Duration
	// DialTimeout bounds the opening of a network connection; what follows, TLS
	// included, counts as part of the attempt. Default 3 s.
	DialTimeout time.Duration

	// MaxReplyBytes bounds what is read of one reply or stream message.
	// Default 64 MiB.
	MaxReplyBytes int64
	// WatchBufferBytes bounds the events that the watches of the client hold,
	// all together, until they are consumed. Default 64 MiB.
	WatchBufferBytes int64

	// NoGroupCommit sends every call in a request of its own. By default calls
	// that are made while others are under way may share a request and a
	// commit, and so a revision; see Alone for single calls.
	NoGroupCommit bool

	// Dial opens network connections. Default: a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Proxy names an HTTP proxy for a request, such as
	// http.ProxyFromEnvironment. Default: none, whatever the environment says.
	Proxy func(*http.Request) (*url.URL, error)

	// Logger is told of retries, reconnects and the like. Default: silence.
	Logger *slog.Logger
	// Hooks observe the client for metrics and tracing.
	Hooks Hooks
}

// Defaults of Config.
const (
	DefaultEndpoint         = "http://127.0.0.1:2379"
	DefaultAttemptTimeout   = 5 * time.Second
	DefaultRetryTimeout     = 15 * time.Second
	DefaultDialTimeout      = 3 * time.Second
	DefaultMaxReplyBytes    = 64 << 20
	DefaultWatchBufferBytes = 64 << 20
)

// String shows the configuration without its secrets.
func (c Config) String() string {
	user := ""
	if c.Username != "" {
		user = fmt.Sprintf(" user=%q", c.Username)
	}
	ns := ""
	if c.Namespace != "" {
		ns = " namespace=" + quoteKey(c.Namespace)
	}
	eps := make([]string, len(c.Endpoints))
	for i, e := range c.Endpoints {
		eps[i] = redactURL(e)
	}
	return fmt.Sprintf("etcd.Config{endpoints=%q%s%s}", eps, user, ns)
}

// Format shows the same as String for every verb, so that no verb shows a
// secret. It is out of reach of a Config in an unexported field of a struct that
// is formatted as a whole: package fmt calls no methods there.
func (c Config) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// LogValue shows the same as String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON shows the same as String: a Config is not meant to be stored.
func (c Config) MarshalJSON() ([]byte, error) { return []byte(fmt.Sprintf("%q", c.String())), nil }

// normalize fills in the defaults and finds what is wrong.
func (c Config) normalize() (Config, []*url.URL, error) {
	if len(c.Endpoints) == 0 {
		c.Endpoints = []string{DefaultEndpoint}
	}
	urls := make([]*url.URL, 0, len(c.Endpoints))
	seen := map[string]bool{}
	for i, e := range c.Endpoints {
		u, err := parseEndpoint(e, c.TLS.configured())
		if err != nil {
			return c, nil, fmt.Errorf("endpoint %d: %w", i+1, err)
		}
		if !seen[u.String()] {
			seen[u.String()] = true
			urls = append(urls, u)
		}
		if c.Username != "" && u.Scheme == "http" && !c.AllowInsecureAuth && !isLoopback(u.Hostname()) {
			return c, nil, fmt.Errorf("endpoint %q: user name and password are not sent over plain http to a host that is not loopback: use https or set AllowInsecureAuth", u)
		}
	}
	if c.Username == "" && c.Password != "" {
		return c, nil, errors.New("password without a user name")
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"AttemptTimeout", &c.AttemptTimeout, DefaultAttemptTimeout},
		{"DialTimeout", &c.DialTimeout, DefaultDialTimeout},
	} {
		if *d.v < 0 {
			return c, nil, fmt.Errorf("%s is negative: %v", d.name, *d.v)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if c.RetryTimeout == 0 {
		c.RetryTimeout = DefaultRetryTimeout
	}
	if c.MaxReplyBytes < 0 || c.WatchBufferBytes < 0 {
		return c, nil, errors.New("MaxReplyBytes or WatchBufferBytes is negative")
	}
	if c.MaxReplyBytes == 0 {
		c.MaxReplyBytes = DefaultMaxReplyBytes
	}
	if c.WatchBufferBytes == 0 {
		c.WatchBufferBytes = DefaultWatchBufferBytes
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, urls, nil
}

// dialBounded is Dial within DialTimeout.
func (c Config) dialBounded() h1.Dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.DialTimeout)
		defer cancel()
		return c.Dial(ctx, network, addr)
	}
}

// parseEndpoint reads one endpoint; its errors do not repeat what may be a
// secret in it.
func parseEndpoint(s string, secure bool) (*url.URL, error) {
	if strings.TrimSpace(s) != s || s == "" {
		return nil, fmt.Errorf("%q is empty or has space around it", redactURL(s))
	}
	ports := map[string]string{"http": "80", "https": "443"}
	raw := s
	if !strings.Contains(s, "://") {
		ports = map[string]string{"http": "2379", "https": "2379"}
		if secure {
			raw = "https://" + s
		} else {
			raw = "http://" + s
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL", redactURL(s))
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q: the scheme is not http or https", redactURL(s))
	case u.User != nil:
		return nil, fmt.Errorf("%q: user name and password belong in Username and Password, not in the URL", redactURL(s))
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q has no host", redactURL(s))
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q: an endpoint has no path, query or fragment", redactURL(s))
	}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return nil, fmt.Errorf("%q: the port is no port", redactURL(s))
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// redactURL shows an endpoint without what stands before an "@", which may be a
// password, and not too much of it.
func redactURL(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		// A scheme is shown only where it surely is one.
		scheme, _, _ := strings.Cut(s[:at], "://")
		if scheme = strings.ToLower(scheme); scheme == "http" || scheme == "https" {
			scheme += "://"
		} else {
			scheme = ""
		}
		s = scheme + "[redacted]" + s[at:]
	}
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/h1"
)

// A Client speaks to one etcd cluster. It is safe for use by many goroutines
// at once; a program needs one.
type Client struct {
	cfg    Config // without the password
	ns     string
	log    *slog.Logger
	eps    *endpoints
	tokens *tokenSource

	reads, writes *group
	watches       *watchHub

	life context.Context // ends with Close
	end  context.CancelCauseFunc
	wg   sync.WaitGroup // goroutines of the client
	wgMu sync.Mutex     // held to add to wg, which nobody does once life has ended
}

// How many requests of each sort are under way at most, at one time, where
// calls may share them.
const (
	readsUnderWay  = 2
	writesUnderWay = 2
)

// New makes a client. It does no I/O but for reading the files that cfg.TLS
// names: whether etcd is there shows with the first call, or with Status.
// Close frees what the client holds.
func New(cfg Config) (*Client, error) {
	cfg, urls, err := cfg.normalize()
	if err != nil {
		return nil, invalid("configuration", "", err)
	}
	tlsConfig, err := cfg.TLS.build()
	if err != nil {
		return nil, invalid("configuration", "TLS", err)
	}
	c := &Client{ns: cfg.Namespace, log: cfg.Logger, eps: &endpoints{begun: time.Now()}}
	c.life, c.end = context.WithCancelCause(context.Background())
	c.tokens = &tokenSource{c: c}
	if user, password := cfg.Username, cfg.Password; user != "" {
		c.tokens.credentials = func() (string, string) { return user, password }
	}
	cfg.Password = ""
	c.cfg = cfg
	for _, u := range urls {
		ep := &endpoint{url: u.String(), host: u.Host, secure: u.Scheme == "https"}
		pc := h1.Config{Dial: cfg.dialBounded(), MaxReply: cfg.MaxReplyBytes}
		if ep.secure {
			pc.TLS = tlsConfig
		}
		if cfg.Proxy != nil {
			pc.Proxy = func(string) (*url.URL, error) {
				return cfg.Proxy(&http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: http.Header{}})
			}
		}
		if ep.pool, err = h1.New(u.Host, pc); err != nil {
			return nil, invalid("configuration", "endpoint "+ep.url, err)
		}
		c.eps.list = append(c.eps.list, ep)
	}
	c.reads = newGroup(c, readsUnderWay, false)
	c.writes = newGroup(c, writesUnderWay, true)
	c.watches = newWatchHub(c)
	return c, nil
}

// Close ends the client: calls and watches that are under way end with
// ErrClosed, connections are closed, and Close returns when all of that is
// done. It is idempotent.
func (c *Client) Close() error {
	c.wgMu.Lock()
	c.end(ErrClosed)
	c.wgMu.Unlock()
	c.watches.close()
	for _, ep := range c.eps.list {
		ep.pool.Close()
	}
	c.wg.Wait()
	return nil
}

// start runs f on a goroutine that Close waits for; f ends when c.life does.
func (c *Client) start(f func()) error {
	c.wgMu.Lock()
	defer c.wgMu.Unlock()
	if c.life.Err() != nil {
		return ErrClosed
	}
	c.wg.Go(f)
	return nil
}

// Endpoints gives the URLs the client was made with.
func (c *Client) Endpoints() []string {
	out := make([]string, len(c.eps.list))
	for i, ep := range c.eps.list {
		out[i] = ep.url
	}
	return out
}

// Format shows where the client points to and no secret, whatever the verb.
func (c *Client) Format(s fmt.State, _ rune) {
	if c == nil {
		_, _ = s.Write([]byte("etcd.Client(nil)"))
		return
	}
	fmt.Fprintf(s, "etcd.Client{endpoints=%q}", c.Endpoints())
}

// leaderHeader asks a member without a leader to refuse at once, before it
// does anything, instead of leaving the outcome open seconds later.
var leaderHeader = []byte("Grpc-Metadata-hasleader: true\r\n")

// header gives the lines of a request that depend on who asks and how. They
// must not be changed.
func (c *Client) header(token string, anyMember bool) ([]byte, error) {
	var lines []byte
	if !anyMember {
		lines = leaderHeader[:len(leaderHeader):len(leaderHeader)]
	}
	if token == "" {
		return lines, nil
	}
	line, err := h1.HeaderLine("Authorization", token)
	if err != nil {
		return nil, err
	}
	return append(lines, line...), nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

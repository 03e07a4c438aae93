package h1

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is how a Pool connects. The zero value is usable.
type Config struct {
	// Dial makes connections; nil is a net.Dialer.
	Dial Dialer

	// TLS is used above each connection; nil is plain HTTP. ServerName is the
	// pool's host unless set. Only http/1.1 is offered.
	TLS *tls.Config

	// MaxIdle is how many idle connections are kept; 0 is 64. How many are in
	// use is not limited.
	MaxIdle int

	// IdleTimeout is how long an idle connection is worth keeping; 0 is 90 s.
	// It is looked at when connections are taken or put back; no timer runs.
	IdleTimeout time.Duration

	// MaxReply bounds a reply's body in bytes, after decompression; 0 is 64 MiB.
	// It does not bound a Stream.
	MaxReply int64

	// Proxy says which proxy leads to host, by HTTP CONNECT; a nil function or
	// URL is none. Only http://[user:password@]host:port is understood. Nothing
	// is taken from the environment.
	Proxy func(host string) (*url.URL, error)
}

// Pool is a client of one host. It is safe for concurrent use.
type Pool struct {
	host   string
	common string // what all requests have in common
	cfg    Config
	tls    *tls.Config

	mu       sync.Mutex
	idle     []*conn // the one put back last at the end
	conns    map[*conn]struct{}
	dials    map[*dialing]struct{}
	inflight int  // calls that Close waits for
	hasty    int  // calls in haste, one after the other; below zero to wait longer
	sparing  bool // another connection is being made for them
	closed   bool
	quiet    chan struct{} // closed when the last call in flight leaves a closed pool
}

// dialing is a connection in the making.
type dialing struct{ cancel context.CancelCauseFunc }

// New returns a Pool for host, which is host:port. It does no I/O.
func New(host string, cfg Config) (*Pool, error) {
	name, _, err := net.SplitHostPort(host)
	unfit := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == '@' }
	if err != nil || name == "" || strings.ContainsFunc(host, unfit) {
		return nil, fmt.Errorf("%w: %q is not host:port", ErrRequest, host)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.MaxIdle <= 0 {
		cfg.MaxIdle = 64
	}
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = 90 * time.Second
	}
	if cfg.MaxReply <= 0 {
		cfg.MaxReply = 64 << 20
	}
	return &Pool{
		host:   host,
		common: commonHead(host),
		cfg:    cfg,
		tls:    tlsConfig(cfg.TLS, host),
		conns:  make(map[*conn]struct{}),
		dials:  make(map[*dialing]struct{}),
		quiet:  make(chan struct{}),
	}, nil
}

// Host returns the host:port the pool is for.
func (p *Pool) Host() string { return p.host }

// Close ends everything: idle connections, streams, and calls in flight, which
// fail with ErrClosed. It returns when the calls have returned and may be
// called again.
func (p *Pool) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		if p.inflight == 0 {
			close(p.quiet)
		}
	}
	p.idle = nil
	for d := range p.dials {
		d.cancel(ErrClosed)
	}
	conns := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	clear(p.conns)
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	<-p.quiet
	return nil
}

// enter counts a call as in flight; leave ends that.
func (p *Pool) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.inflight++
	return nil
}

func (p *Pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left()
}

func (p *Pool) left() {
	if p.inflight--; p.inflight == 0 && p.closed {
		close(p.quiet)
	}
}

// take returns an idle connection that seems alive, or nil.
func (p *Pool) take(now, deadline time.Time) *conn {
	for {
		p.mu.Lock()
		at, spare := p.choose(now)
		var c *conn
		var expired []*conn
		if at >= 0 && now.Sub(p.idle[at].idleSince) >= p.cfg.IdleTimeout {
			// It is too old, so those before it are.
			expired = slices.Clone(p.idle[:at+1])
			p.idle = slices.Delete(p.idle, 0, at+1)
		} else if at >= 0 {
			c = p.idle[at]
			p.idle = slices.Delete(p.idle, at, at+1)
		}
		if spare {
			p.sparing = true
			p.inflight++
			go p.dialSpare()
		}
		p.mu.Unlock()
		for _, old := range expired {
			p.drop(old)
		}
		switch {
		case c != nil:
			c.reused = true
			if c.probe() && c.setDeadline(deadline) == nil {
				return c
			}
			p.drop(c)
		case expired == nil:
			return nil
		}
	}
}

// put takes a connection back for the next call, and ends the call that used it.
func (p *Pool) put(c *conn) {
	c.shrink()
	reusable := c.setDeadline(time.Time{}) == nil
	c.idleSince = time.Now()
	var surplus *conn
	p.mu.Lock()
	switch {
	case p.closed || !reusable:
		surplus = c
	default:
		p.idle = append(p.idle, c)
		if oldest := p.idle[0]; len(p.idle) > p.cfg.MaxIdle || c.idleSince.Sub(oldest.idleSince) >= p.cfg.IdleTimeout {
			surplus = oldest
			p.idle = append(p.idle[:0], p.idle[1:]...)
		}
	}
	p.left()
	p.mu.Unlock()
	if surplus != nil {
		p.drop(surplus)
	}
}

// add notes a connection for Close. It reports false if the pool is closed.
func (p *Pool) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

// drop closes a connection and forgets it.
func (p *Pool) drop(c *conn) {
	c.Close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *Pool) addDial(d *dialing) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.dials[d] = struct{}{}
	return true
}

func (p *Pool) removeDial(d *dialing) {
	p.mu.Lock()
	delete(p.dials, d)
	p.mu.Unlock()
}

// explain turns an I/O error into what it means.
func (p *Pool) explain(ctx context.Context, timeout time.Duration, deadline time.Time, err error) error {
	if p.isClosed() {
		return ErrClosed
	}
	return cause(ctx, timeout, deadline, err)
}

// over says whether a call has no time left, or no pool.
func (p *Pool) over(ctx context.Context, deadline time.Time) bool {
	return p.isClosed() || ended(ctx) != nil || !deadline.IsZero() && !time.Now().Before(deadline)
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

package h1

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Dialer makes a connection. It must give up when ctx ends.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Dial makes a connection to the pool's host as the pool would: through its
// proxy and with its TLS. Where alpn is given, TLS offers these protocols
// instead of http/1.1 and a TLS connection is a *tls.Conn. The connection is
// the caller's own; the pool does not know it.
func (p *Pool) Dial(ctx context.Context, alpn ...string) (net.Conn, error) {
	if err := p.enter(); err != nil {
		return nil, &Error{Op: "dial", Host: p.host, Err: err}
	}
	defer p.leave()
	c, err := p.dial(ctx, time.Time{}, alpn)
	if err != nil {
		err.Err = p.explain(ctx, 0, time.Time{}, err.Err)
		return nil, err
	}
	if tc, ok := c.Conn.(*tls.Conn); ok {
		return tc, nil
	}
	return c.wire.Conn, nil
}

// dial makes a connection. Closing the pool interrupts it.
func (p *Pool) dial(ctx context.Context, deadline time.Time, alpn []string) (*conn, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, deadline)
		defer stop()
	}
	d := &dialing{cancel: cancel}
	if !p.addDial(d) {
		return nil, &Error{Op: "dial", Err: ErrClosed, Host: p.host}
	}
	defer p.removeDial(d)

	op := "dial"
	proxy, err := p.proxy()
	if err != nil {
		return nil, &Error{Op: "proxy", Err: err, Host: p.host}
	}
	addr := p.host
	if proxy != nil {
		op, addr = "proxy", proxyAddr(proxy)
	}
	nc, err := p.cfg.Dial(ctx, "tcp", addr)
	if err == nil && nc == nil {
		err = fmt.Errorf("%w: the dialer returned no connection", ErrRequest)
	}
	if err != nil {
		return nil, &Error{Op: op, Err: err, Host: p.host}
	}
	w := &wire{Conn: nc}
	if proxy != nil {
		if err := connect(ctx, w, p.host, proxy); err != nil {
			nc.Close()
			return nil, &Error{Op: op, Err: err, Host: p.host}
		}
	}
	if p.tls == nil {
		return newConn(w, w), nil
	}
	cfg := p.tls
	if alpn != nil {
		cfg = cfg.Clone()
		cfg.NextProtos = alpn
	}
	tc := tls.Client(w, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, &Error{Op: "TLS handshake", Err: err, Host: p.host}
	}
	return newConn(tc, w), nil
}

// tlsConfig returns cfg as it is used for host.
func tlsConfig(cfg *tls.Config, host string) *tls.Config {
	if cfg == nil {
		return nil
	}
	cfg = cfg.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(host)
	}
	return cfg
}

package h1

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// proxy asks the config which proxy to go through; nil is none.
func (p *Pool) proxy() (*url.URL, error) {
	if p.cfg.Proxy == nil {
		return nil, nil
	}
	u, err := p.cfg.Proxy(p.host)
	if err != nil || u == nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Hostname() == "" {
		// The URL may hold a password: it stays out of the error.
		return nil, fmt.Errorf("%w: the proxy is not of the form http://host:port", ErrRequest)
	}
	return u, nil
}

func proxyAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// connect makes w a tunnel to host.
func connect(ctx context.Context, w *wire, host string, proxy *url.URL) error {
	c := newConn(w, w)
	stop := context.AfterFunc(ctx, c.interrupt)
	err := tunnel(c, host, proxy.User)
	if !stop() {
		<-c.interrupted
		err = ctx.Err()
	}
	return err
}

func tunnel(c *conn, host string, user *url.Userinfo) error {
	req := "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n"
	if user != nil {
		password, _ := user.Password()
		plain := user.Username() + ":" + password
		req += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(plain)) + "\r\n"
	}
	if _, err := c.Write([]byte(req + "\r\n")); err != nil {
		return err
	}
	h, err := c.readHead()
	switch {
	case err != nil:
		return err
	case h.status >= 300:
		return fmt.Errorf("the proxy refuses to connect: status %d", h.status)
	case !c.clean():
		return errors.New("the proxy says more than that it is connected")
	}
	return nil
}

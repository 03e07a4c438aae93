package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
)

var errReset error = syscall.ECONNRESET

// addr is the address of a member inside the process.
type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

// Dial connects to the member at addr, as given by URLs. It suits
// http.Transport.DialContext and works inside a testing/synctest bubble if the
// server was made there.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr(address), Err: err}
	}
	if err := context.Cause(ctx); err != nil {
		return fail(err)
	}
	s.mu.Lock()
	var m *member
	for _, c := range s.members {
		if c.host == address {
			m = c
		}
	}
	refused := s.closed || m == nil || m.down
	s.mu.Unlock()
	if refused {
		return fail(syscall.ECONNREFUSED)
	}
	client, server := newPipe(addr("client"), addr(address), s.opts.from, s.opts.to)
	select {
	case m.listener.conns <- server:
		return client, nil
	case <-m.listener.closed:
		return fail(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	}
}

// listener hands dialled connections to an HTTP server.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return addr("etcdtest") }

// Listen serves the first member over TCP on a free port of 127.0.0.1 and
// returns its URL. It may be called more than once, for several ports.
func (s *Server) Listen() (string, error) { return s.ListenMember(0) }

// ListenMember serves the member of that index, counted from 0, over TCP on a
// free port of 127.0.0.1 and returns its URL.
func (s *Server) ListenMember(i int) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("etcdtest: listen for member %d: %w", i, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || i < 0 || i >= len(s.members) {
		l.Close()
		return "", fmt.Errorf("etcdtest: listen for member %d: %w", i, errors.ErrUnsupported)
	}
	m := s.members[i]
	m.tcp = append(m.tcp, l)
	s.serveListener(m, l)
	return s.scheme() + l.Addr().String(), nil
}

// connKey is the key of a request's *serverConn in its context.
type connKey struct{}

// serveListener serves HTTP on l until it is closed.
func (s *Server) serveListener(m *member, l net.Listener) {
	hs := &http.Server{
		Handler:   http.HandlerFunc(s.serve),
		TLSConfig: s.opts.tls.Clone(), // net/http changes it
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: func(_ net.Conn, st http.ConnState) {
			switch st {
			case http.StateNew:
				s.wg.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.wg.Done()
			}
		},
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		// Both return when l is closed.
		if hs.TLSConfig != nil {
			_ = hs.ServeTLS(&countingListener{l, s, m}, "", "")
		} else {
			_ = hs.Serve(&countingListener{l, s, m})
		}
	}()
}

// countingListener makes every accepted connection one that the server knows.
type countingListener struct {
	net.Listener
	s *Server
	m *member
}

func (l *countingListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		sc := &serverConn{Conn: c, s: l.s, member: l.m.index, closed: make(chan struct{})}
		l.s.mu.Lock()
		refused := l.s.closed || l.m.down
		if !refused {
			l.s.conns[sc] = struct{}{}
		}
		l.s.mu.Unlock()
		if !refused {
			return sc, nil
		}
		sc.abort()
	}
}

// serverConn is the server's end of a connection. While its member is paused
// nothing comes in or goes out.
type serverConn struct {
	net.Conn
	s      *Server
	member int
	once   sync.Once
	closed chan struct{} // closed with this end, so that nobody waits on it any more
}

func (c *serverConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.s.whilePaused(c)
	return n, err
}

func (c *serverConn) Write(p []byte) (int, error) {
	c.s.whilePaused(c)
	return c.Conn.Write(p)
}

func (c *serverConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

// abort resets the connection: what is under way is lost.
func (c *serverConn) abort() {
	switch conn := c.Conn.(type) {
	case *pipeConn:
		conn.reset()
	case *net.TCPConn:
		conn.SetLinger(0)
		conn.Close()
	default:
		conn.Close()
	}
}

// whilePaused waits until the connection's member is not paused, the server
// closes or the connection's end is closed.
func (s *Server) whilePaused(c *serverConn) {
	for {
		s.mu.Lock()
		paused := s.members[c.member].paused
		s.mu.Unlock()
		if paused == nil {
			return
		}
		select {
		case <-paused:
		case <-c.closed:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

package h1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// peer is the other end of connections made of pipes: each is served by a
// function of the test.
type peer struct {
	t     testing.TB
	serve func(c *peerConn)
	wg    sync.WaitGroup

	mu    sync.Mutex
	dials int
}

// peerConn is the server's end of one connection.
type peerConn struct {
	net.Conn
	r *bufio.Reader
}

// newPeer returns a peer and a pool that dials it. Both end with the test.
func newPeer(t testing.TB, cfg Config, serve func(c *peerConn)) (*peer, *Pool) {
	p := &peer{t: t, serve: serve}
	cfg.Dial = p.dial
	pool, err := New("member:2379", cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		pool.Close()
		p.wg.Wait()
	})
	return p, pool
}

func (p *peer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.mu.Lock()
	p.dials++
	p.mu.Unlock()
	p.wg.Go(func() {
		defer server.Close()
		p.serve(&peerConn{Conn: server, r: bufio.NewReader(server)})
	})
	return client, nil
}

func (p *peer) dialled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

// request reads a whole request; ok is false at the connection's end.
func (c *peerConn) request() (req *http.Request, body string, ok bool) {
	req, err := http.ReadRequest(c.r)
	if err != nil {
		return nil, "", false
	}
	b, err := io.ReadAll(req.Body)
	return req, string(b), err == nil
}

// say writes raw bytes.
func (c *peerConn) say(s string) { io.WriteString(c, s) }

// replies serves a connection with the same raw reply to every request.
func replies(raw string) func(*peerConn) {
	return func(c *peerConn) {
		for {
			if _, _, ok := c.request(); !ok {
				return
			}
			c.say(raw)
		}
	}
}

const okReply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

var putRequest = &Request{Path: "/v3/kv/put", Body: []byte(`{"key":"YQ=="}`)}

// failure returns err as the *Error it must be.
func failure(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	return e
}

// dialWith puts something around the connections that dial makes.
func dialWith(dial Dialer, around func(net.Conn) net.Conn) Dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return around(nc), nil
	}
}

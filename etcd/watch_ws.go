package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/coder/websocket"
)

// A wsLink is a WebSocket: each message is a text frame of JSON.
type wsLink struct {
	conn *websocket.Conn
	max  int64
	buf  []byte
	in   inflow
}

// upgradeRefused: something answered that opens no WebSocket.
type upgradeRefused struct{ status int }

func (e *upgradeRefused) Error() string {
	return fmt.Sprintf("answered with status %d instead of opening a WebSocket", e.status)
}

// newWebSocketLink opens a WebSocket over nc, which it takes over.
func newWebSocketLink(ctx context.Context, c *Client, ep *endpoint, nc net.Conn, token string) (*wsLink, error) {
	opts := &websocket.DialOptions{HTTPClient: &http.Client{
		Transport:     overConn(nc),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if token != "" {
		// The gateway forwards no Authorization header here.
		opts.Subprotocols = []string{"Bearer", token}
	}
	conn, resp, err := websocket.Dial(ctx, ep.url+"/v3/watch", opts)
	if err != nil {
		nc.Close()
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &upgradeRefused{resp.StatusCode}
		}
		return nil, errors.Join(errors.New("opening a WebSocket"), unwrapAll(err))
	}
	conn.SetReadLimit(c.cfg.MaxReplyBytes)
	return &wsLink{conn: conn, max: c.cfg.MaxReplyBytes}, nil
}

// unwrapAll gives the innermost error: those around it may repeat the request.
func unwrapAll(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// overConn is a transport that has one connection, and it is nc.
func overConn(nc net.Conn) *http.Transport {
	var used atomic.Bool
	dial := func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, net.ErrClosed
		}
		return nc, nil
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial, DisableCompression: true}
}

func (l *wsLink) transport() watchTransport { return viaWebSocket }
func (l *wsLink) duplex() bool              { return true }
func (l *wsLink) flow() *inflow             { return &l.in }

func (l *wsLink) send(ctx context.Context, m *outMessage) error {
	return l.conn.Write(ctx, websocket.MessageText, m.body)
}

func (l *wsLink) recv() (inMessage, error) {
	l.in.next()
	_, r, err := l.conn.Reader(context.Background())
	if err != nil {
		return inMessage{}, err
	}
	if cap(l.buf) > keepBuffer {
		l.buf = nil // a large message was an exception
	}
	l.buf, err = readAppend(l.in.reader(r), l.buf[:0])
	l.in.whole()
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return inMessage{}, &Error{Op: "watch", Kind: ErrBadReply, Message: fmt.Sprintf("a message is larger than %d bytes", l.max)}
	}
	return inMessage{doc: l.buf}, err
}

// keepBuffer is how large a read buffer is kept.
const keepBuffer = 64 << 10

// readAppend appends all of r to b.
func readAppend(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

func (l *wsLink) check(ctx context.Context) error { return l.conn.Ping(ctx) }

func (l *wsLink) close() { _ = l.conn.CloseNow() }

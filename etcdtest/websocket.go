package etcdtest

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/coder/websocket"
)

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// serveWebSocket serves a watch stream over a WebSocket: every message is one
// text frame, in both directions. Headers of the upgrade do not reach etcd,
// but for the token.
func (s *Server) serveWebSocket(c *call) {
	c.request = &Request{Path: c.path, Member: c.member}
	c.leader = false
	s.withStreamFaults(c, func(out *flusher) {
		busy := new(atomic.Bool) // a message is being written
		if conn := s.accept(c, busy); conn != nil {
			s.runWebSocket(c, conn, out, busy)
		}
	})
}

// accept upgrades a request. It returns nil where that failed; the client was
// told then.
//
// A ping that comes while a message is on its way is not answered, as the
// gateway does it, which does not wait for long to get a word in.
func (s *Server) accept(c *call, busy *atomic.Bool) *websocket.Conn {
	var protocols []string
	if strings.Contains(c.r.Header.Get("Sec-WebSocket-Protocol"), "Bearer") {
		protocols = []string{"Bearer"}
	}
	conn, err := websocket.Accept(c.w, c.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, Subprotocols: protocols, CompressionMode: websocket.CompressionDisabled,
		OnPingReceived: func(context.Context, []byte) bool { return !busy.Load() },
	})
	if err != nil {
		return nil
	}
	conn.SetReadLimit(-1)
	return conn
}

func (s *Server) runWebSocket(c *call, conn *websocket.Conn, out *flusher, busy *atomic.Bool) {
	// The request's context means nothing any more once it was upgraded.
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	ws, err := s.openWatchStream(c)
	if err != nil {
		conn.CloseNow()
		return
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer cancel() // the client is gone
		if s.awaitToken(ctx, s.tokenOf(c.r)) == nil {
			ws.receiveFrames(ctx, conn)
		}
	}()
	ws.write(ctx.Done(), func(b []byte, _ int) error {
		cut := out.cutAt > 0 && out.sent+len(b) >= out.cutAt
		if cut {
			return errCut
		}
		out.sent += len(b)
		busy.Store(true)
		defer busy.Store(false)
		return conn.Write(ctx, websocket.MessageText, bytes.TrimSuffix(b, []byte("\n")))
	})
	ws.close()
	cancel()
	conn.CloseNow()
	<-read
}

// receiveFrames carries out requests until the connection ends. A frame that
// cannot be understood silently ends the listening, not the connection.
func (ws *watchStream) receiveFrames(ctx context.Context, conn *websocket.Conn) {
	deaf := false
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if deaf {
			continue
		}
		o, perr := newParser(bytes.NewReader(b)).next()
		deaf = perr != nil || !ws.understand(o)
	}
}

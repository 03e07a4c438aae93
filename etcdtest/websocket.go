package etcdtest

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

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
		busy := make(turn, 1)
		if conn := s.accept(c, busy); conn != nil {
			s.runWebSocket(c, conn, out, busy)
		}
	})
}

// turn is who writes to a WebSocket.
type turn chan struct{}

// pongWait is how long the gateway's library waits for its turn to answer a
// ping. A pong that has to wait longer behind a message is never written.
const pongWait = time.Second

// within reports whether the turn came in time for a pong.
func (t turn) within(ctx context.Context, _ []byte) bool {
	late := time.NewTimer(pongWait)
	defer late.Stop()
	select {
	case t <- struct{}{}:
		<-t
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// accept upgrades a request. It returns nil where that failed; the client was
// told then. Pongs take their turn with the messages of busy.
func (s *Server) accept(c *call, busy turn) *websocket.Conn {
	var protocols []string
	if strings.Contains(c.r.Header.Get("Sec-WebSocket-Protocol"), "Bearer") {
		protocols = []string{"Bearer"}
	}
	conn, err := websocket.Accept(c.w, c.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, Subprotocols: protocols, CompressionMode: websocket.CompressionDisabled,
		OnPingReceived: busy.within,
	})
	if err != nil {
		return nil
	}
	conn.SetReadLimit(-1)
	return conn
}

func (s *Server) runWebSocket(c *call, conn *websocket.Conn, out *flusher, busy turn) {
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
		busy <- struct{}{}
		defer func() { <-busy }()
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

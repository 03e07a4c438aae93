package etcdtest

import (
	"context"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// serveWebSocket serves a watch stream over a WebSocket: every message is one
// text frame, in both directions.
func (s *Server) serveWebSocket(w http.ResponseWriter, c *call) {
	var protocols []string
	if strings.Contains(c.r.Header.Get("Sec-WebSocket-Protocol"), "Bearer") {
		protocols = []string{"Bearer"}
	}
	conn, err := websocket.Accept(w, c.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, Subprotocols: protocols, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(-1)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.mu.Lock()
	ws := s.newWatchStream(c.member, c.user)
	s.mu.Unlock()

	read := make(chan struct{})
	go func() {
		defer close(read)
		defer cancel() // the client is gone
		ws.receiveFrames(ctx, conn)
	}()
	ws.write(ctx.Done(), func(b []byte, _ int) error {
		return conn.Write(ctx, websocket.MessageText, []byte(strings.TrimSuffix(string(b), "\n")))
	})
	s.mu.Lock()
	ws.end(nil)
	s.mu.Unlock()
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
		o, perr := newParser(strings.NewReader(string(b))).next()
		if perr != nil {
			deaf = true
			continue
		}
		d := &decoder{old: ws.srv.minor <= 5}
		r := d.watchRequest(o)
		if d.err != nil {
			deaf = true
			continue
		}
		ws.handle(r)
	}
}

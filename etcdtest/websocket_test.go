package etcdtest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// socket is a watch stream over a WebSocket.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (c *client) socket(t *testing.T, protocols ...string) *socket {
	t.Helper()
	conn, _, err := websocket.Dial(context.Background(), c.url+"/v3/watch", &websocket.DialOptions{
		HTTPClient: c.http, Subprotocols: protocols,
	})
	require.NoError(t, err)
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	return &socket{t, conn}
}

func (s *socket) send(r any) {
	s.t.Helper()
	b, err := json.Marshal(r)
	require.NoError(s.t, err)
	require.NoError(s.t, s.conn.Write(context.Background(), websocket.MessageText, b))
}

func (s *socket) next() obj {
	s.t.Helper()
	_, b, err := s.conn.Read(context.Background())
	require.NoError(s.t, err)
	var o obj
	require.NoError(s.t, json.Unmarshal(b, &o))
	r, ok := o["result"].(obj)
	require.True(s.t, ok, "%v", o)
	return r
}

func TestOneSocketCreatesAndCancelsWatchesWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		ws := c.socket(t)
		defer ws.conn.CloseNow()
		ws.send(obj{"create_request": obj{"key": b64("a")}})
		require.Equal(t, true, ws.next()["created"])
		s.Put("a", []byte("1"))
		require.Len(t, ws.next()["events"], 1)

		ws.send(obj{"create_request": obj{"key": b64("b"), "watch_id": "7", "prev_kv": true}})
		require.Equal(t, "7", ws.next()["watch_id"])
		ws.send(obj{"create_request": obj{"key": b64("b"), "watch_id": "7"}})
		dup := ws.next()
		require.Equal(t, "-1", dup["watch_id"])
		require.Equal(t, "mvcc: duplicate watch ID provided on the WatchStream", dup["cancel_reason"])

		s.Put("b", []byte("1"))
		require.NotContains(t, list(ws.next()["events"])[0], "prev_kv")
		s.Delete("b")
		ev := list(ws.next()["events"])[0]
		require.Equal(t, "DELETE", ev["type"])
		require.Equal(t, b64("1"), ev["prev_kv"].(obj)["value"])

		ws.send(obj{"progress_request": obj{}})
		p := ws.next()
		require.Equal(t, "-1", p["watch_id"])
		require.Equal(t, "4", revision(p))

		ws.send(obj{"cancel_request": obj{"watch_id": "7"}})
		require.Equal(t, true, ws.next()["canceled"])
		s.Put("b", []byte("2"))
		s.Put("a", []byte("2"))
		require.Equal(t, "6", revision(ws.next()), "the event of the cancelled watch never came")
		require.Equal(t, 1, s.Watches())
	})
}

func TestAMalformedFrameMakesASocketDeafButNotDumb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		ws := c.socket(t)
		defer ws.conn.CloseNow()
		ws.send(obj{"create_request": obj{"key": b64("a")}})
		require.Equal(t, true, ws.next()["created"])
		ws.send("not a request")
		ws.send(obj{"create_request": obj{"key": b64("b")}})
		synctest.Wait()
		require.Equal(t, 1, s.Watches())
		s.Put("a", nil)
		require.Len(t, ws.next()["events"], 1)
	})
}

func TestDroppedWatchesLoseTheirConnection(t *testing.T) {
	s := Start(t)
	ws := newClient(t, s).socket(t)
	ws.send(obj{"create_request": obj{"key": b64("a")}})
	require.Equal(t, true, ws.next()["created"])
	s.DropWatches()
	_, _, err := ws.conn.Read(context.Background())
	require.Error(t, err)
	require.Zero(t, s.Watches())
}

func TestTenThousandWatchesShareOneSocket(t *testing.T) {
	s := Start(t)
	ws := newClient(t, s).socket(t)
	const n = 10_000
	go func() {
		for i := range n {
			b := fmt.Appendf(nil, `{"create_request":{"key":%q}}`, b64(fmt.Sprint("k", i)))
			if ws.conn.Write(context.Background(), websocket.MessageText, b) != nil {
				return
			}
		}
	}()
	for range n {
		require.Equal(t, true, ws.next()["created"])
	}
	for i := range n {
		s.Put(fmt.Sprint("k", i), nil)
	}
	for range n {
		require.Len(t, ws.next()["events"], 1)
	}
}

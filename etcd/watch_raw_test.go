package etcd_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// A rawConn is a watch stream without the client.
type rawConn struct {
	t    *testing.T
	conn *websocket.Conn
}

func rawWatch(t *testing.T, srv *etcdtest.Server) rawConn {
	t.Helper()
	tr := &http.Transport{DialContext: srv.Dial}
	conn, _, err := websocket.Dial(context.Background(), srv.URL()+"/v3/watch", &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}})
	require.NoError(t, err)
	t.Cleanup(func() { conn.CloseNow() })
	return rawConn{t, conn}
}

// create makes a live watch of key and waits until it is there.
func (c rawConn) create(key string) {
	c.t.Helper()
	ctx := context.Background()
	req := `{"create_request":{"key":"` + base64.StdEncoding.EncodeToString([]byte(key)) + `"}}`
	require.NoError(c.t, c.conn.Write(ctx, websocket.MessageText, []byte(req)))
	_, doc, err := c.conn.Read(ctx)
	require.NoError(c.t, err)
	require.Contains(c.t, string(doc), `"created":true`)
}

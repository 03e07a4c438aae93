package etcd

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// A server that lets everybody in, answers the checks of a watch connection,
// and repeats in the words of its watch stream what it was sent.
func TestSecretsShowNowhereWhateverAWatchStreamSays(t *testing.T) {
	said := func(r *http.Request) string {
		text, _ := json.Marshal(canaryPassword + fmt.Sprint(r.Header)) // strings always encode
		return string(text)
	}
	socket := func(use func(c *websocket.Conn, r *http.Request)) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: []string{"Bearer"}})
			if err != nil {
				return
			}
			defer c.CloseNow()
			if _, _, err := c.Read(r.Context()); err == nil {
				use(c, r)
			}
		}
	}
	plain := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				http.Error(rw, fmt.Sprint(r.Header), http.StatusForbidden)
				return
			}
			rw.WriteHeader(status)
			fmt.Fprintf(rw, body, said(r))
		}
	}
	refusal := `{"result":{"header":{"cluster_id":"1","revision":"5"},"created":true,"canceled":true,"watch_id":"1","cancel_reason":%s}}`
	for name, watch := range map[string]http.HandlerFunc{
		"a refusal":         plain(200, refusal),
		"an error":          plain(200, `{"error":{"grpc_code":7,"message":%s}}`),
		"a status":          plain(403, `{"code":7,"message":%s}`),
		"a stranger's page": plain(502, `<html>%s</html>`),
		"a refusal in a socket": socket(func(c *websocket.Conn, r *http.Request) {
			_ = c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, refusal, said(r)))
			_, _, _ = c.Read(r.Context())
		}),
		"an error in a socket": socket(func(c *websocket.Conn, r *http.Request) {
			_ = c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, `{"error":{"code":7,"message":%s}}`, said(r)))
		}),
		"a socket's last words": socket(func(c *websocket.Conn, r *http.Request) {
			_ = c.Close(websocket.StatusPolicyViolation, r.Header.Get("Sec-WebSocket-Protocol"))
		}),
		"a handshake": func(rw http.ResponseWriter, r *http.Request) {
			sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			rw.Header().Set("Connection", "Upgrade")
			rw.Header().Set("Upgrade", "websocket")
			rw.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
			rw.Header().Set("Sec-WebSocket-Protocol", r.Header.Get("Sec-WebSocket-Protocol"))
			rw.WriteHeader(http.StatusSwitchingProtocols)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWitness()
				var asked atomic.Int32
				c := newForeignClient(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					switch {
					case strings.HasSuffix(r.URL.Path, "/authenticate"):
						fmt.Fprintf(rw, `{"token":%q}`, canaryToken)
					case r.URL.Path == "/v3/watch":
						asked.Add(1)
						watch(rw, r)
					default:
						fmt.Fprint(rw, `{"header":{"cluster_id":"1","revision":"5"}}`)
					}
				}), w.watch)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				watcher, err := c.Watch(ctx, Key("k"))
				w.sees(err)
				require.Error(t, err)
				require.Nil(t, watcher)
				require.NotZero(t, asked.Load())
				w.sees(c, c.Close())
				w.check(t)
			})
		})
	}
}

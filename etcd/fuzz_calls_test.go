package etcd

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/quorate/quorate/internal/jsonwire"
)

// A cannedConn answers the request that is written to it with what answer makes
// of it, and ends there.
type cannedConn struct {
	answer func(request []byte) []byte

	mu    sync.Mutex
	in    []byte
	ready chan struct{} // closed when the answer is there, or never will be
	done  bool
	out   *bytes.Reader // of Read's goroutine, once ready
}

func newCannedConn(answer func([]byte) []byte) *cannedConn {
	return &cannedConn{answer: answer, ready: make(chan struct{}), out: bytes.NewReader(nil)}
}

func (c *cannedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in = append(c.in, p...); !c.done && bytes.Contains(c.in, []byte("\r\n\r\n")) {
		c.out.Reset(c.answer(c.in))
		c.done = true
		close(c.ready)
	}
	return len(p), nil
}

func (c *cannedConn) Read(p []byte) (int, error) {
	<-c.ready
	return c.out.Read(p)
}

func (c *cannedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.done = true
		close(c.ready)
	}
	return nil
}

func (c *cannedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *cannedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *cannedConn) SetDeadline(time.Time) error      { return nil }
func (c *cannedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *cannedConn) SetWriteDeadline(time.Time) error { return nil }

// cannedClient is a client whose every request is answered with body.
func cannedClient(t testing.TB, user string, status int, body []byte) *Client {
	reply := fmt.Appendf(nil, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
	c, err := New(Config{
		Username: user, Password: strings.Repeat("p", len(user)), RetryTimeout: -1, MaxReplyBytes: 1 << 20,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return newCannedConn(func([]byte) []byte { return reply }), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fuzzedCalls are the calls whose replies FuzzReply does not cover.
var fuzzedCalls = []func(ctx context.Context, c *Client) error{
	func(ctx context.Context, c *Client) error {
		_, err := c.Grant(ctx, time.Minute, WithLeaseID(7))
		return err
	},
	func(ctx context.Context, c *Client) error { _, err := c.KeepAlive(ctx, 7); return err },
	func(ctx context.Context, c *Client) error { _, err := c.TimeToLive(ctx, 7, WithKeys()); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Leases(ctx); return err },
	func(ctx context.Context, c *Client) error { return c.Revoke(ctx, 7) },
	func(ctx context.Context, c *Client) error { return c.Compact(ctx, 7, true) },
	func(ctx context.Context, c *Client) error { _, err := c.Status(ctx, DefaultEndpoint); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Members(ctx, true); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Alarms(ctx); return err },
	func(ctx context.Context, c *Client) error { _, err := c.HashKV(ctx, DefaultEndpoint, 0); return err },
	func(ctx context.Context, c *Client) error { _, err := c.AuthStatus(ctx); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Users(ctx); return err },
	func(ctx context.Context, c *Client) error { _, err := c.User(ctx, "ann"); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Roles(ctx); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Role(ctx, "reader"); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Snapshot(ctx, io.Discard); return err },
	func(ctx context.Context, c *Client) error {
		for _, err := range c.List(ctx, All(), PageSize(2)) {
			return err
		}
		return nil
	},
	func(ctx context.Context, c *Client) error {
		s, err := NewSession(ctx, c)
		if err == nil {
			_ = s.Close(ctx) // the answer to it is the same again, and may say anything
		}
		return err
	},
}

// FuzzCall: whatever the reply to a call is, the call ends with a result made of
// JSON, or with an error that can be shown.
func FuzzCall(f *testing.F) {
	for _, body := range []string{
		`{"header":{"cluster_id":"1","revision":"5"},"ID":"7","TTL":"60","grantedTTL":"60","keys":["YQ=="],"token":"t"}`,
		`{"result":{"header":{"cluster_id":"1","revision":"5"},"ID":"7","TTL":"60"}}`, `{"result":{"ID":"7"}}`,
		`{"header":{"revision":"5"},"leases":[{"ID":"7"},{"ID":"-7"}],"token":"a.eyJleHAiOjF9.c"}`,
		`{"header":{"member_id":"2"},"version":"3.6.14","dbSize":"10","leader":"2","raftTerm":"2","errors":["NOSPACE"]}`,
		`{"header":{},"members":[{"ID":"18446744073709551615","name":"a","peerURLs":["http://a:1"],"clientURLs":null,"isLearner":true}]}`,
		`{"header":{},"alarms":[{"memberID":"1","alarm":"NOSPACE"},{"alarm":2},{"alarm":"NEWER"}],"hash":4294967295,"hash_revision":"5"}`,
		`{"header":{},"enabled":true,"authRevision":"3","users":["a"],"roles":["r"],"perm":[{"permType":"READWRITE","key":"YQ==","range_end":"AA=="}]}`,
		`{"result":{"header":{"revision":"1"},"remaining_bytes":"4","blob":"AAAA"}}`,
		`{"header":{"revision":"5"},"kvs":[{"key":"YQ==","value":"dg=="}],"more":true,"count":"9"}`,
		`{"code":16,"message":"etcdserver: invalid auth token"}`, `{"error":{"grpc_code":14,"message":"m"}}`, `{}`, `null`, ``, `<html>`,
	} {
		for i := range fuzzedCalls {
			f.Add(uint8(i), uint8(i), []byte(body))
		}
	}
	statuses := []int{200, 200, 200, 200, 400, 401, 404, 503}
	f.Fuzz(func(t *testing.T, call, how uint8, body []byte) {
		status := statuses[how%8]
		c := cannedClient(t, strings.Repeat("u", int(how>>3&1)), status, body)
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := fuzzedCalls[int(call)%len(fuzzedCalls)](ctx, c)
		switch {
		case err == nil && status != 200:
			t.Fatalf("status %d and %q are a success", status, body)
		case err == nil && json.Valid(body):
		case err == nil:
			stream := jsonwire.NewFrames(bytes.NewReader(body), 1<<20)
			for doc, err := stream.Next(); err != io.EOF; doc, err = stream.Next() {
				if err != nil || !json.Valid(doc) {
					t.Fatalf("accepted what is no JSON: %q", body)
				}
			}
		case len(err.Error()) > 4000 || utf8.Valid(body) && !utf8.ValidString(err.Error()):
			t.Fatalf("an error that cannot be shown: %q", err)
		}
	})
}

// FuzzWebSocket: whatever comes over a WebSocket, what is made of it are
// messages within the bound, and an end.
func FuzzWebSocket(f *testing.F) {
	frame := func(op byte, payload string) string { return string([]byte{op, byte(len(payload))}) + payload }
	f.Add([]byte(frame(0x81, `{"result":{"created":true}}`) + frame(0x89, "ping") + frame(0x88, "\x03\xe8bye")))
	f.Add([]byte(frame(0x01, `{"result":`) + frame(0x80, `{}}`)))
	f.Add([]byte(frame(0x82, "\xff") + frame(0x8a, "")))
	f.Add([]byte("\x81\x7e\x08\x00" + strings.Repeat("x", 2048)))
	f.Add([]byte("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xffx"))
	f.Add([]byte("\xc1\x02\x00\x00"))
	f.Add([]byte{0x81, 0x80, 0, 0, 0, 0})
	const limit = 1 << 10
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := newCannedConn(func(request []byte) []byte {
			_, rest, _ := bytes.Cut(bytes.ToLower(request), []byte("sec-websocket-key: "))
			key, _, _ := bytes.Cut(request[len(request)-len(rest):], []byte("\r\n"))
			sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
			head := "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
			return append([]byte(head), data...)
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		link, err := newWebSocketLink(ctx, &Client{cfg: Config{MaxReplyBytes: limit}}, &endpoint{url: "http://h:1"}, conn, "")
		if err != nil {
			t.Fatal(err) // the handshake is as it should be
		}
		defer link.close()
		var rd jsonwire.Reader
		var fr watchFrame
		for total := 0; ; {
			m, err := link.recv()
			if err != nil {
				return
			}
			if total += len(m.doc); len(m.doc) > limit || total > len(data) {
				t.Fatalf("%d bytes became messages of %d, one of %d", len(data), total, len(m.doc))
			}
			_ = parseWatchFrame(&rd, m.doc, 0, &fr)
		}
	})
}

// FuzzIdentity: what servers say of themselves and their tokens is read or
// left alone.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"etcdserver":"3.6.14","etcdcluster":"3.6.0"}`), "a.eyJleHAiOjE3MDAwMDAwMDB9.c")
	f.Add([]byte(`{"etcdserver":"3.4"}`), "a.e30.c")
	f.Add([]byte(`{"etcdserver":"-1.-2.-3"}`), "xyz.12")
	f.Add([]byte(`[]`), "..")
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte, token string) {
		if v := parseVersion(body); v != "" {
			if _, _, ok := majorMinor(v); !ok || len(v) > 32 {
				t.Fatalf("%q is a version", v)
			}
		}
		at := renewBefore(token, now)
		if token == "" != at.IsZero() || !at.IsZero() && !at.After(now) {
			t.Fatalf("the token %q is to be renewed at %v", token, at)
		}
	})
}

package etcd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzEndpoint: no endpoint makes the parser panic, no error repeats what may
// be a password, and what is accepted is a plain host and port.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"http://", "", "u:", "https://u:", "x://y:", "http://h/", "http://h?", "http://[::1", "//", "a:b://"} {
		f.Add(s, "h:1", false)
		f.Add(s, "", true)
	}
	f.Add("http://h:1", "[::1]:2379", false)
	f.Fuzz(func(t *testing.T, before, after string, secure bool) {
		const secret = "CANARY"
		if strings.Contains(before+after, secret) {
			return
		}
		for _, s := range []string{before + after, before + secret + "@" + after} {
			u, err := parseEndpoint(s, secure)
			if err != nil {
				if strings.Contains(err.Error(), secret) {
					t.Fatalf("%q: the error shows the secret: %v", s, err)
				}
				if len(err.Error()) > 2000 {
					t.Fatalf("the error has %d bytes", len(err.Error()))
				}
				continue
			}
			again, err := parseEndpoint(u.String(), secure)
			if err != nil || again.String() != u.String() {
				t.Fatalf("%q gives %q, which gives %v, %v", s, u, again, err)
			}
			if u.User != nil || u.Path != "" || u.Port() == "" || u.Hostname() == "" || strings.Contains(u.String(), secret) {
				t.Fatalf("%q was accepted as %q", s, u)
			}
		}
	})
}

// FuzzError: no body makes the parser panic, what is kept of it is bounded, and
// both versions' errors are read for what they are.
func FuzzError(f *testing.F) {
	f.Add([]byte(`{"error":"etcdserver: x","code":5,"message":"etcdserver: x"}`), 5, "etcdserver: x")
	f.Add([]byte(`{"code":14, "message":"etcdserver: no leader", "details":[]}`), 14, "")
	f.Add([]byte(`{"error":{"grpc_code":7,"http_code":403,"message":"m","http_status":"Forbidden"}}`), 7, strings.Repeat("é", 600))
	f.Add([]byte(`{"error":{"code":3,"message":"m"}}`), 3, "\xff\x00\"")
	f.Add([]byte(`{"error":{"error":{"code":3}}}`), -1, "deep")
	f.Add([]byte(`<html>`), 1<<30, "")
	f.Fuzz(func(t *testing.T, body []byte, code int, message string) {
		if e := parseError(body); len(e.message) > maxMessage || !utf8.ValidString(e.message) {
			t.Fatalf("kept %d bytes: %q", len(e.message), e.message)
		}
		code = int(int32(code))
		var want string // as JSON carries it, and not more than is kept
		raw, err := json.Marshal(message)
		if err != nil || json.Unmarshal(raw, &want) != nil {
			t.Fatal(err)
		}
		if len(want) > maxMessage {
			want = strings.ToValidUTF8(want[:maxMessage], "")
		}
		type m = map[string]any
		for _, shape := range []any{
			m{"error": message, "code": code, "message": message},
			m{"code": code, "message": message},
			m{"error": m{"grpc_code": code, "http_code": 500, "message": message, "http_status": "Internal Server Error"}},
			m{"error": m{"code": code, "message": message}},
		} {
			b, err := json.Marshal(shape)
			if err != nil {
				t.Fatal(err)
			}
			if e := parseError(b); !e.ok || e.code != Code(code) || e.message != want {
				t.Fatalf("%s was read as code %d, %q", b, e.code, e.message)
			}
		}
	})
}

// FuzzSnapshotFrame: no stream makes the reader panic, and one it accepts is
// data with its own checksum behind it, all of it written.
func FuzzSnapshotFrame(f *testing.F) {
	data := []byte("0123456789abcdef")
	sum := sha256.Sum256(data)
	for _, piece := range []int{1, 5, 16} {
		f.Add([]byte(stream(data, piece, sum[:])))
	}
	f.Add([]byte(stream(data, 4, sum[:31])))
	f.Add([]byte(`{"error":{"code":7,"message":"x"}}`))
	f.Add([]byte(`{"result":{"remaining_bytes":"9223372036854775807","blob":"AAAA"}}`))
	f.Add([]byte(`{"result":{"blob":"AAAA"}}{"result":{"blob":"AAAA"}}`))
	f.Add([]byte(`{"result":{"header":{"revision":"1"},"version":"3.7.0"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		stall := time.NewTimer(time.Hour)
		defer stall.Stop()
		var out bytes.Buffer
		s := &snapshot{w: &out, sum: sha256.New()}
		err := s.read(bytes.NewReader(body), stall)
		if int64(out.Len()) != s.result.Bytes {
			t.Fatalf("%d bytes written, %d counted", out.Len(), s.result.Bytes)
		}
		if err != nil {
			return
		}
		n := out.Len() - sha256.Size
		if n <= 0 {
			t.Fatalf("accepted %d bytes", out.Len())
		}
		if want := sha256.Sum256(out.Bytes()[:n]); !bytes.Equal(want[:], out.Bytes()[n:]) || want != s.result.SHA256 {
			t.Fatal("accepted with a wrong checksum")
		}
	})
}

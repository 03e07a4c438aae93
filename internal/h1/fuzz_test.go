package h1

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// script is a connection that says what it was given, step bytes at a time.
type script struct {
	net.Conn
	data []byte
	step int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.data[:min(s.step, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

func (s *script) SetDeadline(time.Time) error     { return nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) Close() error                    { return nil }

// parse reads a reply as Do does.
func parse(raw []byte, step int, limit int64) (head, []byte, error) {
	w := &wire{Conn: &script{data: raw, step: step}}
	x := exchange{c: newConn(w, w)}
	var err error
	if x.head, err = x.c.readHead(); err != nil {
		return head{}, nil, err
	}
	buf, err := x.readBody(limit)
	if err != nil {
		return head{}, nil, err
	}
	return x.head, buf.b, nil
}

// FuzzResponse checks that whatever is accepted as a reply, net/http reads the
// same way, however it arrives.
func FuzzResponse(f *testing.F) {
	const limit = 1 << 20
	ok := "HTTP/1.1 200 OK\r\n"
	for _, seed := range []string{
		okReply, "", "HTTP/1.1 204\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n{}",
		"HTTP/1.1 100 Continue\r\n\r\n" + okReply,
		"HTTP/1.1 307 Temporary Redirect\r\nLocation:\thttp://x/ \r\nContent-Length: 0\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0 \r\nA: b\r\n\r\n",
		ok + "Content-Length: 2\r\nContent-Length: 2\r\nA:\r\n\r\n{}",
		ok + "Connection: a,close\r\nContent-Length: 0\r\n\r\n",
		ok + "Content-Length: 00002\r\n\r\n{}", ok + "Content-Length: 2, 2\r\n\r\n{}", ok + "Content-Length: 0x2\r\n\r\n{}",
		withLength("Content-Encoding: gzip\r\n", zipped("{}")),
		withLength("Content-Encoding: gzip\r\n", zipped("{")+zipped("}")),
		ok + "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(7))
	}
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		h, body, err := parse(raw, len(raw)+1, limit)
		h2, body2, err2 := parse(raw, int(step)+1, limit)
		if (err == nil) != (err2 == nil) || h != h2 || !bytes.Equal(body, body2) {
			t.Fatalf("at once: %+v %q %v; in pieces of %d: %+v %q %v", h, body, err, int(step)+1, h2, body2, err2)
		}
		if err != nil {
			return
		}
		if h.status < 200 || len(body) > limit {
			t.Fatalf("accepted: %+v with %d bytes", h, len(body))
		}

		r := bufio.NewReaderSize(bytes.NewReader(raw), len(raw)+1<<16)
		resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
		for err == nil && resp.StatusCode < 200 {
			resp, err = http.ReadResponse(r, &http.Request{Method: "POST"})
		}
		if err != nil {
			t.Fatalf("accepted: %+v; net/http: %v", h, err)
		}
		var src io.Reader = resp.Body
		if h.encoding == gzipped && h.length != 0 && !h.bodiless() {
			if src, err = gzip.NewReader(src); err != nil {
				t.Fatalf("accepted: %+v; gzip: %v", h, err)
			}
		}
		want, err := io.ReadAll(src)
		if err != nil || resp.StatusCode != h.status || !bytes.Equal(body, want) {
			t.Fatalf("got %d %q; net/http %d %q %v", h.status, body, resp.StatusCode, want, err)
		}
		if resp.Close && !h.close && (h.chunked || h.length >= 0) {
			t.Fatalf("net/http closes where %+v does not", h)
		}
		if n := len(resp.Header["Location"]); n == 1 && resp.Header.Get("Location") != h.location {
			t.Fatalf("location %q, net/http %q", h.location, resp.Header.Get("Location"))
		}
		if n := len(resp.Header["Content-Type"]); n == 1 && resp.Header.Get("Content-Type") != h.typ {
			t.Fatalf("type %q, net/http %q", h.typ, resp.Header.Get("Content-Type"))
		}
		if strings.ContainsAny(h.location+h.typ, "\r\n\x00") {
			t.Fatalf("control characters in %+v", h)
		}
	})
}

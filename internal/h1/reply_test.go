package h1

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func withLength(extra, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", extra, len(body), body)
}

func TestGzipThatNobodyAskedForIsRead(t *testing.T) {
	peer, pool := newPeer(t, Config{}, replies(withLength("Content-Encoding: GZIP\r\n", zipped(`{"count":"1"}`))))
	for range 2 {
		r, err := pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
		require.Equal(t, `{"count":"1"}`, string(r.Body))
	}
	require.Equal(t, 1, peer.dialled())
}

func TestRepliesAboveTheBoundAreRefused(t *testing.T) {
	big := strings.Repeat("x", 5001)
	for name, raw := range map[string]string{
		"by their length":        withLength("", big),
		"in chunks":              fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big),
		"to the end":             "HTTP/1.0 200 OK\r\n\r\n" + big,
		"after decompression":    withLength("Content-Encoding: gzip\r\n", zipped(big)),
		"by what they claim":     "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
		"by what a chunk claims": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n" + big,
	} {
		t.Run(name, func(t *testing.T) {
			_, pool := newPeer(t, Config{MaxReply: 5000}, replies(raw))
			_, err := pool.Do(t.Context(), putRequest)
			require.ErrorIs(t, err, ErrTooLarge)
			require.True(t, failure(t, err).Sent)
		})
	}
	_, pool := newPeer(t, Config{MaxReply: 5001}, replies(withLength("", big)))
	r, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	require.Equal(t, big, string(r.Body))
}

func TestMalformedRepliesAreErrorsAfterSendingThatShowNothingOfThem(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\n"
	for name, raw := range map[string]string{
		"no HTTP":               "secret\r\n\r\n",
		"HTTP/2":                "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2":              "HTTP/1.2 200 OK\r\n\r\n",
		"short status":          "HTTP/1.1 20 \r\n\r\n",
		"long status":           "HTTP/1.1 2000 OK\r\n\r\n",
		"low status":            "HTTP/1.1 099 OK\r\n\r\n",
		"status with letters":   "HTTP/1.1 2x0 OK\r\n\r\n",
		"bare line ends":        "HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
		"bare CR":               ok + "A: secret\rb\r\n\r\n",
		"folded line":           ok + "A: b\r\n secret\r\n\r\n",
		"space before colon":    ok + "Content-Length : 0\r\n\r\n",
		"no colon":              ok + "secret\r\n\r\n",
		"empty name":            ok + ": secret\r\n\r\n",
		"negative length":       ok + "Content-Length: -1\r\n\r\n",
		"signed length":         ok + "Content-Length: +1\r\n\r\n{",
		"empty length":          ok + "Content-Length: \r\n\r\n",
		"huge length":           ok + "Content-Length: 9223372036854775808\r\n\r\n",
		"two lengths":           ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
		"two framings":          ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown framing":       ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunks in HTTP/1.0":    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unknown encoding":      ok + "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
		"two encodings":         ok + "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
		"no gzip":               withLength("Content-Encoding: gzip\r\n", "secret secret secret"),
		"broken gzip":           withLength("Content-Encoding: gzip\r\n", zipped("{}")[:10]+"secret secret secret"),
		"upgrade":               "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"endless interim":       strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20),
		"endless head":          ok + strings.Repeat("A: bbbbbbbbbbbbbbbbbbbbbbbbb\r\n", 5000),
		"chunk without length":  ok + "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
		"chunk length in words": ok + "Transfer-Encoding: chunked\r\n\r\nsecret\r\n{}\r\n0\r\n\r\n",
		"chunk length too long": ok + "Transfer-Encoding: chunked\r\n\r\n0000000000000002\r\n{}\r\n0\r\n\r\n",
		"chunk line too long":   ok + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("x", 5000) + "\r\n{}\r\n0\r\n\r\n",
		"chunk longer":          ok + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
		"bare LF in chunks":     ok + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
		"chatty chunks":         ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\n{\r\n", 100),
		"malformed trailer":     ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nsecret\r\n\r\n",
		"endless trailers":      ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			_, pool := newPeer(t, Config{}, replies(raw))
			_, err := pool.Do(t.Context(), putRequest)
			require.ErrorIs(t, err, ErrMalformed)
			require.True(t, failure(t, err).Sent)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestARepliesEarlyEndIsAnErrorAfterSending(t *testing.T) {
	whole := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
	for _, whole := range []string{whole, okReply, withLength("Content-Encoding: gzip\r\n", zipped("{}"))} {
		for n := range len(whole) {
			_, pool := newPeer(t, Config{}, func(c *peerConn) {
				c.request()
				c.say(whole[:n])
			})
			_, err := pool.Do(t.Context(), putRequest)
			e := failure(t, err)
			require.True(t, e.Sent, "after %d bytes", n)
			require.Equal(t, "read", e.Op)
			require.True(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF), "after %d bytes: %v", n, err)
		}
	}
}

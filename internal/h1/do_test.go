package h1

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARequestArrivesWithWhatItNeedsAndNothingThatReplays(t *testing.T) {
	_, pool := newPeer(t, Config{}, func(c *peerConn) {
		req, body, ok := c.request()
		if !ok {
			return
		}
		c.say(okReply)
		require.Equal(t, "POST", req.Method)
		require.Equal(t, "member:2379", req.Host)
		require.Equal(t, "/v3/kv/put", req.URL.Path)
		require.Equal(t, `{"key":"YQ=="}`, body)
		require.Equal(t, map[string][]string{
			"Accept-Encoding": {"identity"}, "Content-Type": {"application/json"},
			"Content-Length": {"14"}, "Authorization": {"abc.7"}, "Grpc-Metadata-Hasleader": {"true"},
		}, map[string][]string(req.Header))
	})
	auth, err := HeaderLine("Authorization", "abc.7")
	require.NoError(t, err)
	leader, err := HeaderLine("Grpc-Metadata-hasleader", "true")
	require.NoError(t, err)
	req := *putRequest
	req.Header = append(auth, leader...)
	r, err := pool.Do(t.Context(), &req)
	require.NoError(t, err)
	require.Equal(t, 200, r.Status)
	require.Equal(t, "application/json", r.ContentType)
	require.Equal(t, "{}", string(r.Body))
	r.Release()
	r.Release()
	require.Nil(t, r.Body)
}

func TestAGetHasNoBodyAndNoLength(t *testing.T) {
	_, pool := newPeer(t, Config{}, func(c *peerConn) {
		if req, _, ok := c.request(); ok {
			require.Equal(t, "GET", req.Method)
			require.NotContains(t, req.Header, "Content-Length")
			c.say(okReply)
		}
	})
	_, err := pool.Do(t.Context(), &Request{Method: "GET", Path: "/version"})
	require.NoError(t, err)
}

func TestRequestsThatCannotArriveAsTheyAreAreRefused(t *testing.T) {
	peer, pool := newPeer(t, Config{}, replies(okReply))
	for _, req := range []*Request{
		{Path: ""}, {Path: "v3"}, {Path: "/v3 HTTP/1.1\r\nX: y"}, {Path: "/\x7f"}, {Path: "/é"},
		{Method: "PUT", Path: "/"}, {Path: "/", Header: []byte("A: b")},
	} {
		_, err := pool.Do(t.Context(), req)
		require.ErrorIs(t, err, ErrRequest)
		require.False(t, failure(t, err).Sent)
	}
	require.Zero(t, peer.dialled())
	for _, line := range [][2]string{{"", "v"}, {"a b", "v"}, {"a:", "v"}, {"a", "secret\r\nb: c"}, {"a", "secret\x00"}} {
		_, err := HeaderLine(line[0], line[1])
		require.ErrorIs(t, err, ErrRequest)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestAConnectionServesOneCallAfterAnother(t *testing.T) {
	for name, raw := range map[string]string{
		"a length":        okReply,
		"an empty body":   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"no body":         "HTTP/1.1 204 No Content\r\n\r\n",
		"chunks":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
		"trailers":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2 \r\n{}\r\n0\r\nA: b\r\nC: d\r\n\r\n",
		"interim replies": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + okReply,
		"an error":        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			peer, pool := newPeer(t, Config{}, replies(raw))
			for range 3 {
				r, err := pool.Do(t.Context(), putRequest)
				require.NoError(t, err)
				if r.Status != 204 && !strings.Contains(raw, "Content-Length: 0") {
					require.Equal(t, "{}", string(r.Body))
				}
				r.Release()
			}
			require.Equal(t, 1, peer.dialled())
		})
	}
}

func TestAConnectionThatEndsWithItsReplyIsNotUsedAgain(t *testing.T) {
	for name, raw := range map[string]string{
		"it says close":                      "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}",
		"it is HTTP/1.0":                     "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"something follows":                  okReply + "HTTP/1.1 200 OK",
		"something follows in its last line": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			peer, pool := newPeer(t, Config{}, replies(raw))
			for i := range 3 {
				r, err := pool.Do(t.Context(), putRequest)
				require.NoError(t, err)
				require.Equal(t, "{}", string(r.Body))
				require.Equal(t, i+1, peer.dialled())
			}
		})
	}
}

func TestABodyWithoutALengthGoesToTheConnectionsEnd(t *testing.T) {
	_, pool := newPeer(t, Config{}, func(c *peerConn) {
		c.request()
		c.say("HTTP/1.1 200 OK\r\n\r\n{")
		c.say("}")
	})
	r, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	require.Equal(t, "{}", string(r.Body))
}

func TestRedirectsAreRepliesAndNotFollowed(t *testing.T) {
	peer, pool := newPeer(t, Config{}, replies("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"))
	r, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	require.Equal(t, 307, r.Status)
	require.Equal(t, "http://elsewhere/", r.Location)
	require.Equal(t, 1, peer.dialled())
}

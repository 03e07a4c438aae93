package h1

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

func TestAConnectionThatClosedWhileIdleIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.say(okReply)
		})
		for i := range 3 {
			_, err := pool.Do(t.Context(), putRequest)
			require.NoError(t, err)
			require.Equal(t, i+1, peer.dialled())
			synctest.Wait() // the server's end is closed
		}
	})
}

func TestAConnectionIsNotUsedOnceItWasIdleForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, pool := newPeer(t, Config{IdleTimeout: time.Minute}, replies(okReply))
		for _, step := range []struct {
			idle  time.Duration
			dials int
		}{{0, 1}, {59 * time.Second, 1}, {time.Minute, 2}, {59 * time.Second, 2}} {
			time.Sleep(step.idle)
			_, err := pool.Do(t.Context(), putRequest)
			require.NoError(t, err)
			require.Equal(t, step.dials, peer.dialled())
		}
		synctest.Wait()
		require.Len(t, pool.conns, 1)
	})
}

func TestOnlySoManyIdleConnectionsAreKeptAndTheYoungestServesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		peer, pool := newPeer(t, Config{MaxIdle: 2}, func(c *peerConn) {
			for {
				if _, _, ok := c.request(); !ok {
					return
				}
				<-release
				c.say(okReply)
			}
		})
		done := make(chan error)
		for range 5 {
			go func() {
				_, err := pool.Do(t.Context(), putRequest)
				done <- err
			}()
		}
		synctest.Wait()
		close(release)
		for range 5 {
			require.NoError(t, <-done)
		}
		require.Equal(t, 5, peer.dialled())
		require.Len(t, pool.idle, 2)
		require.Len(t, pool.conns, 2)
		youngest := pool.idle[1]
		_, err := pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
		require.True(t, youngest.reused)
		require.False(t, pool.idle[0].reused)
	})
}

func TestATimeoutEndsACallAtItsTimeAndIsNoContextError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.request() // until the client goes
		})
		req := *putRequest
		req.Timeout = 3 * time.Second
		start := time.Now()
		_, err := pool.Do(t.Context(), &req)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, failure(t, err).Sent)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Empty(t, pool.conns)
	})
}

func TestATimeoutOfOneCallDoesNotReachTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := time.Duration(0)
		peer, pool := newPeer(t, Config{}, func(c *peerConn) {
			for {
				if _, _, ok := c.request(); !ok {
					return
				}
				time.Sleep(wait)
				c.say(okReply)
			}
		})
		req := *putRequest
		req.Timeout = time.Second
		_, err := pool.Do(t.Context(), &req)
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		wait = 5 * time.Second
		_, err = pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
		require.Equal(t, 1, peer.dialled())
	})
}

func TestATimeoutBoundsDialingToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, err := New("member:2379", Config{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		require.NoError(t, err)
		defer pool.Close()
		req := *putRequest
		req.Timeout = time.Second
		_, err = pool.Do(t.Context(), &req)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		e := failure(t, err)
		require.False(t, e.Sent)
		require.Equal(t, "dial", e.Op)
	})
}

func TestAContextThatEndsInterruptsACallAtOnce(t *testing.T) {
	gone := errors.New("the lease ran out")
	for name, serve := range map[string]func(c *peerConn){
		"before the server reads": func(c *peerConn) { time.Sleep(time.Hour) },
		"amid the request":        func(c *peerConn) { c.r.ReadByte(); time.Sleep(time.Hour) },
		"before the reply":        func(c *peerConn) { c.request(); time.Sleep(time.Hour) },
		"amid the head":           func(c *peerConn) { c.request(); c.say(okReply[:20]); time.Sleep(time.Hour) },
		"amid the body":           func(c *peerConn) { c.request(); c.say(okReply[:len(okReply)-1]); time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, pool := newPeer(t, Config{}, serve)
				ctx, cancel := context.WithCancelCause(t.Context())
				start := time.Now()
				time.AfterFunc(time.Second, func() { cancel(gone) })
				_, err := pool.Do(ctx, putRequest)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, gone)
				require.Equal(t, time.Second, time.Since(start))
				require.Equal(t, name != "before the server reads", failure(t, err).Sent)
				require.Empty(t, pool.conns)
			})
		})
	}
}

func TestADeadlineOfTheContextIsAContextError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) { c.request(); c.request() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req := *putRequest
		req.Timeout = time.Second
		_, err := pool.Do(ctx, &req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	peer, pool := newPeer(t, Config{}, replies(okReply))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := pool.Do(ctx, putRequest)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, failure(t, err).Sent)
	require.Zero(t, peer.dialled())
}

func TestADialThatFailsSendsNothing(t *testing.T) {
	refused := errors.New("refused")
	pool, err := New("member:2379", Config{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, refused }})
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Do(t.Context(), putRequest)
	require.ErrorIs(t, err, refused)
	require.False(t, failure(t, err).Sent)
	require.Equal(t, "dial member:2379/v3/kv/put: refused", err.Error())
}

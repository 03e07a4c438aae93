package h1

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// large is written beside the reading of the reply.
var large = &Request{Path: "/v3/kv/txn", Body: []byte(strings.Repeat("x", 3*inlineBody))}

func TestALargeBodyArrivesWholeAndItsConnectionServesOn(t *testing.T) {
	peer, pool := newPeer(t, Config{}, func(c *peerConn) {
		for {
			_, body, ok := c.request()
			if !ok {
				return
			}
			require.Equal(t, string(large.Body), body)
			c.say(okReply)
		}
	})
	for range 3 {
		r, err := pool.Do(t.Context(), large)
		require.NoError(t, err)
		require.Equal(t, "{}", string(r.Body))
	}
	require.Equal(t, 1, peer.dialled())
}

func TestAReplyBeforeTheWholeRequestWasReadIsReturned(t *testing.T) {
	const refusal = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}"
	for name, serve := range map[string]func(c *peerConn){
		"the server then closes":       func(c *peerConn) { c.r.ReadByte(); c.say(refusal) },
		"the server then does no more": func(c *peerConn) { c.r.ReadByte(); c.say(refusal); time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, pool := newPeer(t, Config{}, serve)
				start := time.Now()
				r, err := pool.Do(t.Context(), large)
				require.NoError(t, err)
				require.Equal(t, 429, r.Status)
				require.Equal(t, "{}", string(r.Body))
				require.Zero(t, time.Since(start))
				require.Empty(t, pool.conns)
			})
		})
	}
}

func TestASuccessBeforeTheWholeRequestWasReadCostsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) { c.r.ReadByte(); c.say(okReply); time.Sleep(time.Hour) })
		start := time.Now()
		r, err := pool.Do(t.Context(), large)
		require.NoError(t, err)
		require.Equal(t, 200, r.Status)
		require.Equal(t, writerGrace, time.Since(start))
		require.Empty(t, pool.conns)
	})
}

func TestALargeBodyThatIsCutOffIsAnErrorAfterSending(t *testing.T) {
	_, pool := newPeer(t, Config{}, func(c *peerConn) { c.r.ReadByte() })
	_, err := pool.Do(t.Context(), large)
	require.True(t, failure(t, err).Sent)
	require.Empty(t, pool.conns)
}

// stubborn fails writes after so many bytes, but goes on reading.
type stubborn struct {
	net.Conn
	room int
}

var errBroken = errors.New("broken pipe")

func (s *stubborn) Write(p []byte) (int, error) {
	n := min(len(p), s.room)
	s.room -= n
	if n > 0 {
		if n, err := s.Conn.Write(p[:n]); err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, errBroken
	}
	return n, nil
}

func TestAReplyIsLookedForAfterAFailedWrite(t *testing.T) {
	const refusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
	for _, reply := range []string{refusal, ""} {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			io.ReadFull(c.r, make([]byte, 10))
			c.say(reply)
		})
		dial := pool.cfg.Dial
		pool.cfg.Dial = dialWith(dial, func(nc net.Conn) net.Conn { return &stubborn{nc, 10} })
		r, err := pool.Do(t.Context(), putRequest)
		if reply != "" {
			require.NoError(t, err)
			require.Equal(t, 400, r.Status)
		} else {
			require.ErrorIs(t, err, errBroken)
			require.Equal(t, "write", failure(t, err).Op)
			require.True(t, failure(t, err).Sent)
		}
		require.Empty(t, pool.conns)
	}
}

func TestAnOldConnectionThatTakesNoByteIsReplacedByAnother(t *testing.T) {
	peer, pool := newPeer(t, Config{}, replies(okReply))
	var last *stubborn
	pool.cfg.Dial = dialWith(pool.cfg.Dial, func(nc net.Conn) net.Conn {
		last = &stubborn{nc, 1 << 20}
		return last
	})
	_, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	last.room = 0
	_, err = pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	require.Equal(t, 2, peer.dialled())

	// One byte is enough to make it a question for the caller.
	last.room = 1
	_, err = pool.Do(t.Context(), putRequest)
	e := failure(t, err)
	require.True(t, e.Sent)
	require.True(t, e.Reused)
	require.Equal(t, 2, peer.dialled())
}

func TestANewConnectionThatTakesNoByteIsAnErrorBeforeSending(t *testing.T) {
	_, pool := newPeer(t, Config{}, replies(okReply))
	pool.cfg.Dial = dialWith(pool.cfg.Dial, func(nc net.Conn) net.Conn { return &stubborn{nc, 0} })
	for _, req := range []*Request{putRequest, large} {
		_, err := pool.Do(t.Context(), req)
		e := failure(t, err)
		require.False(t, e.Sent)
		require.False(t, e.Reused)
	}
}

func TestAServerThatClosesOnlyAfterTheRequestIsAnErrorAfterSending(t *testing.T) {
	_, pool := newPeer(t, Config{}, func(c *peerConn) {
		c.request()
		c.say(okReply)
		c.request()
	})
	_, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	_, err = pool.Do(t.Context(), putRequest)
	require.ErrorIs(t, err, io.EOF)
	e := failure(t, err)
	require.True(t, e.Sent)
	require.True(t, e.Reused)
}

func TestErrorsShowNoHeadersAndNoBodies(t *testing.T) {
	line, err := HeaderLine("Authorization", "s3cret")
	require.NoError(t, err)
	req := &Request{Path: "/v3/kv/put", Header: line, Body: []byte("s3cret")}
	_, pool := newPeer(t, Config{}, func(c *peerConn) { c.request(); c.say("s3cret\r\n\r\n") })
	_, err = pool.Do(t.Context(), req)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
	require.Contains(t, err.Error(), "read member:2379/v3/kv/put: ")
}

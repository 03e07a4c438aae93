package h1

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAServerThatSpeaksFirstAndNoHTTPIsToldAtOnce(t *testing.T) {
	for banner, says := range map[string]string{
		"SSH-2.0-OpenSSH_9.6\r\n":                        `SSH: "SSH-2.0-OpenSSH_9.6"`,
		"220 mail.example.org ESMTP Postfix\r\n":         `SMTP or FTP: "220 mail.example.org ESMTP Postfix"`,
		"\x15\x03\x03\x00\x02\x02\x46":                   "TLS: perhaps it has to be https",
		"-ERR unknown command 'canary-5ecret'\r\n":       "Redis",
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00":           "HTTP/2",
		"+OK " + strings.Repeat("\x1b[31m", 99) + "\r\n": `POP3: "+OK \x1b[31m`,
	} {
		synctest.Test(t, func(t *testing.T) {
			_, pool := newPeer(t, Config{}, func(c *peerConn) {
				go c.say(banner)
				c.request()
				c.request() // until the client goes
			})
			req := *putRequest
			req.Timeout = time.Minute
			start := time.Now()
			_, err := pool.Do(t.Context(), &req)
			require.ErrorIs(t, err, ErrNotHTTP)
			require.ErrorIs(t, err, ErrMalformed)
			require.ErrorContains(t, err, says)
			require.Less(t, len(err.Error()), 400)
			require.NotContains(t, err.Error(), "\x1b")
			require.NotContains(t, err.Error(), "canary")
			require.Zero(t, time.Since(start))
			require.True(t, failure(t, err).Sent)
			require.Empty(t, pool.conns)
		})
	}
}

// What comes late on a connection that has served may be somebody's secret.
func TestOfAConnectionThatHasServedNothingIsShownThatIsNoHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.say(okReply)
			c.request()
			c.say("SSH-2.0-canary\r\n")
			c.request()
		})
		_, err := pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
		_, err = pool.Do(t.Context(), putRequest)
		require.ErrorIs(t, err, ErrMalformed)
		require.NotErrorIs(t, err, ErrNotHTTP)
		require.NotContains(t, err.Error(), "SSH-2.0")
	})
}

// Whatever it is, it is no reply, and its words are not shown.
func TestAServerThatSpeaksWhatIsNotKnownIsToldAtOnceToo(t *testing.T) {
	for _, says := range []string{"J\x00\x00\x00\n8.0.36 canary\x00", "HTP/1.1 200 canary\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			_, pool := newPeer(t, Config{}, func(c *peerConn) {
				go c.say(says)
				c.request()
				c.request() // until the client goes
			})
			start := time.Now()
			_, err := pool.Do(t.Context(), putRequest)
			require.ErrorIs(t, err, ErrMalformed)
			require.NotErrorIs(t, err, ErrNotHTTP)
			require.NotContains(t, err.Error(), "canary")
			require.Zero(t, time.Since(start))
		})
	}
}

// It may have carried the request out.
func TestAServerThatHasSpokenHTTPSpeaksNoOtherProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.say("HTTP/1.1 100 Continue\r\n\r\n220 canary\r\n")
			c.request()
		})
		_, err := pool.Do(t.Context(), putRequest)
		require.ErrorIs(t, err, ErrMalformed)
		require.NotErrorIs(t, err, ErrNotHTTP)
		require.NotContains(t, err.Error(), "canary")
	})
}

// The head may come in pieces, however small.
func TestAHeadThatComesByteForByteIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			for i := range len(okReply) {
				c.say(okReply[i : i+1])
			}
			c.request()
		})
		_, err := pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
	})
}

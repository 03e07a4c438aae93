package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestAStreamGivesWhatIsThereAndEndsWithTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.say(chunkedHead)
			c.say("3\r\n{1}\r\n")
			time.Sleep(time.Hour)
			c.say("3\r\n{2}\r\n")
			c.say("0\r\n\r\n")
			c.request()
		})
		s, err := pool.DoStream(t.Context(), putRequest)
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, 200, s.Status)
		require.Equal(t, "application/json", s.ContentType)
		buf := make([]byte, 100)
		start := time.Now()
		n, err := s.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "{1}", string(buf[:n]))
		require.Zero(t, time.Since(start))
		rest, err := io.ReadAll(s)
		require.NoError(t, err)
		require.Equal(t, "{2}", string(rest))
		require.Equal(t, time.Hour, time.Since(start))
		require.NoError(t, s.Close())
		require.Empty(t, pool.conns)
	})
}

func TestAStreamThatBreaksOffIsAnError(t *testing.T) {
	_, pool := newPeer(t, Config{}, func(c *peerConn) {
		c.request()
		c.say(chunkedHead + "3\r\n{1}\r\n")
	})
	s, err := pool.DoStream(t.Context(), putRequest)
	require.NoError(t, err)
	defer s.Close()
	got, err := io.ReadAll(s)
	require.Equal(t, "{1}", string(got))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.True(t, failure(t, err).Sent)
}

func TestTheContextGovernsAStreamUntilItIsClosed(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			_, pool := newPeer(t, Config{}, func(c *peerConn) {
				c.request()
				c.say(chunkedHead)
				c.request()
			})
			gone := errors.New("the session ended")
			ctx, cancel := context.WithCancelCause(t.Context())
			req := *putRequest
			req.Timeout = timeout // bounds only the head
			s, err := pool.DoStream(ctx, &req)
			require.NoError(t, err)
			defer s.Close()
			start := time.Now()
			time.AfterFunc(time.Hour, func() { cancel(gone) })
			_, err = s.Read(make([]byte, 1))
			require.ErrorIs(t, err, gone)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, time.Hour, time.Since(start))
		})
	}
}

func TestATimeoutBoundsTheWaitForAStreamsHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) { c.request(); c.request() })
		req := *putRequest
		req.Timeout = time.Second
		_, err := pool.DoStream(t.Context(), &req)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Empty(t, pool.conns)
	})
}

func TestClosingAStreamInterruptsItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.say(chunkedHead)
			c.request()
		})
		s, err := pool.DoStream(t.Context(), putRequest)
		require.NoError(t, err)
		done := make(chan error)
		go func() {
			_, err := s.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.Error(t, <-done)
		_, err = s.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestAStreamMayBeginBeforeItsLargeRequestWasReadWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.r.ReadByte()
			c.say(chunkedHead + "2\r\n{}\r\n")
			time.Sleep(time.Hour)
		})
		s, err := pool.DoStream(t.Context(), large)
		require.NoError(t, err)
		b := make([]byte, 2)
		_, err = io.ReadFull(s, b)
		require.NoError(t, err)
		require.Equal(t, "{}", string(b))
		require.NoError(t, s.Close())
	})
}

func TestACompressedStreamIsRefused(t *testing.T) {
	_, pool := newPeer(t, Config{}, replies("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345"))
	_, err := pool.DoStream(t.Context(), putRequest)
	require.ErrorIs(t, err, ErrMalformed)
	require.True(t, failure(t, err).Sent)
	require.Empty(t, pool.conns)
}

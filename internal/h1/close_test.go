package h1

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestCloseEndsIdleConnectionsAndLaterCallsFail(t *testing.T) {
	ended := make(chan struct{})
	_, pool := newPeer(t, Config{}, func(c *peerConn) {
		replies(okReply)(c)
		close(ended)
	})
	_, err := pool.Do(t.Context(), putRequest)
	require.NoError(t, err)
	require.NoError(t, pool.Close())
	<-ended
	_, err = pool.Do(t.Context(), putRequest)
	require.ErrorIs(t, err, ErrClosed)
	require.False(t, failure(t, err).Sent)
	_, err = pool.DoStream(t.Context(), putRequest)
	require.ErrorIs(t, err, ErrClosed)
	_, err = pool.Dial(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, pool.Close())
}

func TestCloseEndsCallsInFlightAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) { c.request(); c.request() })
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := pool.Do(context.Background(), putRequest)
				errs <- err
			}()
		}
		synctest.Wait()
		require.Empty(t, errs)
		require.NoError(t, pool.Close())
		for range 3 {
			err := <-errs
			require.ErrorIs(t, err, ErrClosed)
			require.True(t, failure(t, err).Sent)
		}
	})
}

func TestCloseDoesNotReturnBeforeTheCallsHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stubborn := make(chan struct{})
		pool, err := New("member:2379", Config{Dial: func(context.Context, string, string) (net.Conn, error) {
			<-stubborn // whatever the context says
			return nil, net.ErrClosed
		}})
		require.NoError(t, err)
		call, closed := make(chan error, 1), make(chan error, 2)
		go func() {
			_, err := pool.Do(context.Background(), putRequest)
			call <- err
		}()
		synctest.Wait()
		for range 2 {
			go func() { closed <- pool.Close() }()
		}
		synctest.Wait()
		require.Empty(t, closed)
		close(stubborn)
		require.NoError(t, <-closed)
		require.NoError(t, <-closed)
		require.ErrorIs(t, <-call, ErrClosed)
	})
}

func TestCloseEndsDialsThatAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, err := New("member:2379", Config{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		require.NoError(t, err)
		done := make(chan error)
		go func() {
			_, err := pool.Do(context.Background(), putRequest)
			done <- err
		}()
		synctest.Wait()
		go pool.Close()
		err = <-done
		require.ErrorIs(t, err, ErrClosed)
		require.False(t, failure(t, err).Sent)
	})
}

func TestCloseEndsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, func(c *peerConn) {
			c.request()
			c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
			c.request()
		})
		s, err := pool.DoStream(t.Context(), putRequest)
		require.NoError(t, err)
		defer s.Close()
		_, err = io.ReadFull(s, make([]byte, 2))
		require.NoError(t, err)
		done := make(chan error)
		go func() {
			_, err := s.Read(make([]byte, 2))
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, pool.Close())
		require.ErrorIs(t, <-done, ErrClosed)
	})
}

func TestAPoolIsForAHostAndPort(t *testing.T) {
	for _, host := range []string{"", "member", ":2379", "http://member:2379", "member:2379/", "user@member:2379", "a b:1", "a\r\nb:1"} {
		_, err := New(host, Config{})
		require.ErrorIs(t, err, ErrRequest, "%q", host)
	}
	for _, host := range []string{"member:2379", "127.0.0.1:1", "[::1]:2379"} {
		pool, err := New(host, Config{})
		require.NoError(t, err)
		require.Equal(t, host, pool.Host())
		require.NoError(t, pool.Close())
	}
}

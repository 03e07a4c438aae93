package h1

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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

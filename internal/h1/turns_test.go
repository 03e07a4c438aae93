package h1

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// call makes n calls, one after the other with pauses in between.
func call(t *testing.T, pool *Pool, n int, pause time.Duration) {
	for range n {
		r, err := pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
		r.Release()
		synctest.Wait()
		time.Sleep(pause)
	}
}

func TestCallsInHasteTakeTurnsBetweenAFewConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		served := map[*peerConn]int{}
		peer, pool := newPeer(t, Config{}, func(c *peerConn) {
			for {
				if _, _, ok := c.request(); !ok {
					return
				}
				served[c]++
				c.say(okReply)
			}
		})
		call(t, pool, hasteCalls, 0)
		require.Equal(t, 1, peer.dialled(), "a few calls are no haste")
		call(t, pool, 20*hasteCalls, 0)
		require.Equal(t, turns, peer.dialled())
		clear(served)
		call(t, pool, 10*turns, 0)
		require.Len(t, served, turns)
		for _, n := range served {
			require.Equal(t, 10, n)
		}
	})
}

func TestCallsAtLeisureUseOneConnectionAndTheOthersAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, pool := newPeer(t, Config{IdleTimeout: time.Minute}, replies(okReply))
		call(t, pool, 20*hasteCalls, haste)
		require.Equal(t, 1, peer.dialled())
		call(t, pool, 20*hasteCalls, 0)
		require.Len(t, pool.conns, turns)
		call(t, pool, 65, time.Second)
		require.Equal(t, turns, peer.dialled())
		require.Len(t, pool.conns, 1)
	})
}

func TestATurnIsNotTakenByAConnectionThatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, pool := newPeer(t, Config{IdleTimeout: time.Minute}, replies(okReply))
		call(t, pool, 20*hasteCalls, 0)
		pool.idle[0].idleSince = time.Now().Add(-time.Minute)
		old := pool.idle[0]
		call(t, pool, 1, 0)
		require.NotContains(t, pool.conns, old)
		require.Equal(t, turns, peer.dialled())
	})
}

func TestAConnectionForHasteThatCannotBeMadeHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, pool := newPeer(t, Config{}, replies(okReply))
		dial := pool.cfg.Dial
		dials := 0
		pool.cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, network, addr)
		}
		begin := time.Now()
		call(t, pool, 20*hasteCalls, 0)
		require.Equal(t, begin, time.Now())
		require.Equal(t, 2, dials)
		time.Sleep(spareLimit)
		synctest.Wait()
		call(t, pool, 20*hasteCalls, 0)
		require.Equal(t, 2, dials, "not again at once")
		call(t, pool, spareRest, 0)
		require.Greater(t, dials, 2)
		require.Equal(t, 1, peer.dialled())
	})
}

func TestCloseEndsAConnectionForHasteInTheMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, replies(okReply))
		call(t, pool, 1, 0)
		ended := false
		pool.cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return nil, ctx.Err()
		}
		call(t, pool, 2*hasteCalls, 0)
		require.NoError(t, pool.Close())
		require.True(t, ended)
	})
}

func TestAConnectionForHasteThatComesAfterCloseIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pool := newPeer(t, Config{}, replies(okReply))
		call(t, pool, 1, 0)
		client, server := net.Pipe()
		pool.cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return client, nil // too late, but a connection
		}
		call(t, pool, 2*hasteCalls, 0)
		require.NoError(t, pool.Close())
		_, err := server.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestSilenceOnOneConnectionCostsOneCallOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := false // connections made until now lead nowhere
		peer, pool := newPeer(t, Config{}, func(c *peerConn) {
			later := cut
			for {
				if _, _, ok := c.request(); !ok {
					return
				}
				if !cut || later {
					c.say(okReply)
				}
			}
		})
		call(t, pool, 20*hasteCalls, 0)
		require.Len(t, pool.idle, turns)
		cut = true
		time.Sleep(haste / 2)
		_, err := pool.Do(t.Context(), &Request{Path: "/", Timeout: time.Second})
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Empty(t, pool.idle)
		call(t, pool, 1, 0)
		require.Equal(t, turns+1, peer.dialled())
	})
}

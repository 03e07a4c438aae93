package h1

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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
		time.Sleep(haste)
		_, err := pool.Do(t.Context(), putRequest)
		require.NoError(t, err)
		require.True(t, youngest.reused)
		require.False(t, pool.idle[0].reused)
	})
}

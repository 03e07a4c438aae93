package party

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
)

// Troubled makes a client that begins at one of three members and does not wait
// long for any. The caller closes it.
func Troubled(t *testing.T, cl *cluster.Cluster, first int) *etcd.Client {
	t.Helper()
	cfg := etcd.Config{AttemptTimeout: 500 * time.Millisecond, RetryTimeout: 3 * time.Second}
	for i := range 3 {
		cfg.Endpoints = append(cfg.Endpoints, cl.Endpoints()[(first+i)%3])
	}
	c, err := etcd.New(cfg)
	require.NoError(t, err)
	return c
}

// Until waits for so long, and on a slow machine until there was enough of what
// is tested.
func Until(t *testing.T, long time.Duration, enough func() bool) {
	t.Helper()
	time.Sleep(long)
	for end := time.Now().Add(3 * time.Minute); !enough(); time.Sleep(50 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "too little happens")
	}
}

// Trouble makes life hard for a cluster of three until ctx ends, one fault at a
// time: each member in turn is cut off from its clients after the commit, paused,
// partitioned and killed, and the first hears nobody though all hear it, all links
// are slow at the second, and the connections to the third are half-open.
func Trouble(ctx context.Context, t *testing.T, cl *cluster.Cluster) {
	rest := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for i := 0; ctx.Err() == nil; i = (i + 1) % 3 {
		switch i {
		case 0:
			cl.CutLink(1, 0)
			cl.CutLink(2, 0)
			rest(1200 * time.Millisecond)
			cl.HealLinks()
		case 1:
			cl.DelayLinks(60 * time.Millisecond)
			cl.Client(1).Delay(40*time.Millisecond, 40*time.Millisecond)
			rest(800 * time.Millisecond)
			cl.HealLinks()
			cl.Client(1).Delay(0, 0)
		case 2:
			cl.Client(2).HalfOpen() // those there are stay so
		}
		lost := cl.Client((i+1)%3).LoseReplies(5, nil)
		rest(300 * time.Millisecond)
		lost.Remove()
		if err := cl.Pause(i); err == nil {
			rest(time.Second)
			if err := cl.Resume(i); err != nil {
				t.Error(err)
			}
		}
		rest(500 * time.Millisecond)
		cl.Partition(i)
		rest(1200 * time.Millisecond)
		cl.HealLinks()
		rest(500 * time.Millisecond)
		cl.Kill(i)
		rest(200 * time.Millisecond)
		if err := cl.Restart(i); err != nil {
			t.Error(err)
		}
		rest(700 * time.Millisecond)
	}
}

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
// time.
func Trouble(ctx context.Context, t *testing.T, cl *cluster.Cluster) {
	rest := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for i := 0; ctx.Err() == nil; i = (i + 1) % 3 {
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

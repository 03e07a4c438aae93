package watch

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
)

// where gives the member that the client's watches are at.
func where(t *testing.T, cl *cluster.Cluster) int {
	t.Helper()
	for i := range 3 {
		if cl.Client(i).Conns() > 0 {
			return i
		}
	}
	t.Fatal("no member is connected")
	return 0
}

// writer is a client that goes to the other members only.
func writer(t *testing.T, cl *cluster.Cluster, not int) *client {
	t.Helper()
	return newClient(t, cl, func(cfg *etcd.Config) {
		cfg.Endpoints = nil
		for i := range 3 {
			if i != not {
				cfg.Endpoints = append(cfg.Endpoints, cl.Direct(i))
			}
		}
	})
}

func TestAMemberInTroubleIsLeftWithinSecondsAndNothingIsMissed(t *testing.T) {
	for _, tls := range []bool{false, true} {
		for name, trouble := range map[string]func(*testing.T, *cluster.Cluster, int) func(){
			"partitioned": func(t *testing.T, cl *cluster.Cluster, i int) func() {
				cl.Partition(i)
				return cl.HealLinks
			},
			"paused": func(t *testing.T, cl *cluster.Cluster, i int) func() {
				require.NoError(t, cl.Pause(i))
				return func() { require.NoError(t, cl.Resume(i)) }
			},
			"half-open": func(t *testing.T, cl *cluster.Cluster, i int) func() {
				cl.Client(i).Blackhole()
				return func() { require.NoError(t, cl.Client(i).Heal()) }
			},
			"killed": func(t *testing.T, cl *cluster.Cluster, i int) func() {
				cl.Kill(i)
				return func() { require.NoError(t, cl.Restart(i)) }
			},
		} {
			t.Run(fmt.Sprintf("%s tls=%v", name, tls), func(t *testing.T) {
				cl := cluster.Start(t, cluster.Options{Members: 3, TLS: tls})
				c := newClient(t, cl)
				ctx := t.Context()
				w, err := c.Watch(ctx, etcd.Key("k"))
				require.NoError(t, err)
				at := where(t, cl)
				others := writer(t, cl, at)
				heal := trouble(t, cl, at)
				begin := time.Now()
				if name != "half-open" {
					_, err = cl.WaitLeader(ctx, at) // it may have led
					require.NoError(t, err)
				}
				for i := range 3 {
					_, err = others.Put(ctx, "k", fmt.Append(nil, i))
					require.NoError(t, err)
				}
				require.Equal(t, []string{"k=0", "k=1", "k=2"}, next(t, w, 3))
				took := time.Since(begin)
				t.Logf("left after %v", took)
				require.Less(t, took, 12*time.Second)
				heal()
			})
		}
	}
}

func TestAClusterWipedAndStartedAlikeIsNoticed(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl)
	ctx := t.Context()
	for range 20 {
		_, err := c.Put(ctx, "k", nil)
		require.NoError(t, err)
	}
	w, err := c.Watch(ctx, etcd.Key("k"))
	require.NoError(t, err)
	cl.Kill(0)
	require.NoError(t, cl.Wipe(0))
	require.NoError(t, cl.Restart(0))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err = w.Next(ctx)
	require.ErrorIs(t, err, etcd.ErrClusterChanged)
	again, err := c.Watch(ctx, etcd.Key("k"))
	require.NoError(t, err)
	_, err = c.Put(ctx, "k", []byte("new"))
	require.NoError(t, err)
	require.Equal(t, []string{"k=new"}, next(t, again, 1))
}

func TestACatchUpDoesNotHoldUpALiveWatch(t *testing.T) {
	const n = 60_000
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl)
	ctx := t.Context()
	inParallel(t, n, func(i int) error {
		_, err := c.Put(ctx, fmt.Sprintf("log/%d", i%100), []byte("v"))
		return err
	})
	quick, err := c.Watch(ctx, etcd.Key("quick"))
	require.NoError(t, err)
	begin := time.Now()
	past, err := c.Watch(ctx, etcd.Prefix("log/"), etcd.FromRevision(1))
	require.NoError(t, err)
	caught := make(chan int, 1)
	go func() {
		got := 0
		for got < n {
			batch, err := past.Next(ctx)
			if err != nil {
				break
			}
			got += len(batch.Events)
		}
		caught <- got
	}()
	var worst time.Duration
	for len(caught) == 0 {
		sent := time.Now()
		_, err := c.Put(ctx, "quick", nil)
		require.NoError(t, err)
		next(t, quick, 1)
		worst = max(worst, time.Since(sent))
	}
	require.Equal(t, n, <-caught)
	t.Logf("%d events caught up with in %v; the live watch waited %v at worst", n, time.Since(begin), worst)
	require.Less(t, worst, 2*time.Second)
}

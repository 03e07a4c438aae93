package linearizability

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
)

// clientsOf gives clients of real members; each begins with another one.
func clientsOf(t *testing.T, endpoints []string, batched *atomic.Int64, change func(*etcd.Config)) []*etcd.Client {
	var out []*etcd.Client
	for i := range 3 {
		cfg := etcd.Config{
			AttemptTimeout: 500 * time.Millisecond, RetryTimeout: 3 * time.Second,
			Hooks: etcd.Hooks{Batch: func(i etcd.BatchInfo) { batched.Add(int64(i.Calls)) }},
		}
		for j := range endpoints {
			cfg.Endpoints = append(cfg.Endpoints, endpoints[(i+j)%len(endpoints)])
		}
		if change != nil {
			change(&cfg)
		}
		c, err := etcd.New(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		out = append(out, c)
	}
	return out
}

func TestHistoriesAreLinearizableOnOneMemberWithCutConnections(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	e, err := embedded.Start(ctx, embedded.Config{UnsafeNoFsync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
	var batched atomic.Int64
	cut := &cutter{oneIn: 150, dice: rand.New(rand.NewPCG(5, 6))}
	clients := clientsOf(t, e.Endpoints(), &batched, func(cfg *etcd.Config) { cfg.Dial = cut.dial })
	calm := clientsOf(t, e.Endpoints(), new(atomic.Int64), nil)[0]
	sum := histories(t, workload{clients: clients, log: calm, goroutines: 6, calls: 12, seed: 2, patience: time.Second}, 5*time.Second)
	t.Logf("%+v, %d calls in batches", sum, batched.Load())
	requireLegal(t, sum)
	require.Greater(t, int(batched.Load()), sum.calls/4, "calls that shared a request")
	require.Greater(t, sum.unknown, sum.rounds/2, "unknown outcomes")
}

func TestHistoriesAreLinearizableOnThreeMembersThatArePausedKilledAndCutOff(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Members: 3})
	var batched atomic.Int64
	clients := clientsOf(t, c.Endpoints(), &batched, nil)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { meddle(ctx, t, c) })
	sum := histories(t, workload{clients: clients, goroutines: 6, calls: 40, seed: 3, patience: time.Second}, 12*time.Second)
	cancel()
	wg.Wait()
	t.Logf("%+v, %d calls in batches", sum, batched.Load())
	requireLegal(t, sum)
	require.Greater(t, int(batched.Load()), sum.calls/4, "calls that shared a request")
	require.Positive(t, sum.unknown, "unknown outcomes")
}

// meddle makes life hard for a cluster until ctx ends, one fault at a time.
func meddle(ctx context.Context, t *testing.T, c *cluster.Cluster) {
	for i := 0; ctx.Err() == nil; i = (i + 1) % 3 {
		switch i {
		case 0: // it hears nobody, though all hear it
			c.CutLink(1, 0)
			c.CutLink(2, 0)
			pause(ctx, 1200*time.Millisecond)
			c.HealLinks()
		case 1:
			c.DelayLinks(60 * time.Millisecond)
			pause(ctx, 600*time.Millisecond)
			c.HealLinks()
		case 2:
			c.Client(2).HalfOpen() // the connections there are stay so
		}
		cut := c.Client((i+1)%3).LoseReplies(5, nil)
		pause(ctx, 300*time.Millisecond)
		cut.Remove()
		if err := c.Pause(i); err == nil {
			pause(ctx, 700*time.Millisecond)
			if err := c.Resume(i); err != nil {
				t.Error(err)
			}
		}
		pause(ctx, 500*time.Millisecond)
		c.Partition(i)
		pause(ctx, 1200*time.Millisecond)
		c.HealLinks()
		pause(ctx, 500*time.Millisecond)
		c.Kill(i)
		pause(ctx, 200*time.Millisecond)
		if err := c.Restart(i); err != nil {
			t.Error(err)
		}
		pause(ctx, 700*time.Millisecond)
	}
}

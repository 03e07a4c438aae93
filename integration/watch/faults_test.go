package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// putOnce writes the value i to a key of that version, whatever becomes of a reply
// on the way: the members may have another election at any time.
func (c *client) putOnce(t *testing.T, key string, i int) {
	t.Helper()
	put := etcd.Txn{If: []etcd.Cmp{etcd.IfVersion(etcd.Key(key), etcd.Equal, int64(i))}, Then: []etcd.Op{etcd.Put(key, fmt.Append(nil, i))}}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := c.Txn(t.Context(), put)
		if err == nil {
			return
		}
		require.True(t, errors.Is(err, etcd.ErrUnknownOutcome) || etcd.SafeToRetry(err), err)
		require.True(t, time.Now().Before(end), err)
	}
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
				t.Parallel()
				cl := cluster.Start(t, cluster.Options{Members: 3, TLS: tls})
				c := newClient(t, cl)
				ctx := t.Context()
				w, err := c.Watch(ctx, etcd.Key("k"))
				require.NoError(t, err)
				at := where(t, cl)
				others := writer(t, cl, at)
				heal := trouble(t, cl, at)
				if name != "half-open" {
					_, err = cl.WaitLeader(ctx, at) // it may have led
					require.NoError(t, err)
				}
				for i := range 3 {
					others.putOnce(t, "k", i)
				}
				begin := time.Now() // how long the members take to agree is their affair
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
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	_, err = w.Next(ctx)
	require.ErrorIs(t, err, etcd.ErrClusterChanged)
	again, err := c.Watch(ctx, etcd.Key("k"))
	require.NoError(t, err)
	_, err = c.Put(ctx, "k", []byte("new"))
	require.NoError(t, err)
	require.Equal(t, []string{"k=new"}, next(t, again, 1))
}

// How long an event takes on a loaded machine is the machine's and the server's
// affair. So the same event is timed at another client, which does nothing
// else; and the same is done with a third client catching up, which gives the
// machine as much to do. What the first client's own catch-up adds to that is
// its doing; and it does so in every trial, while the machine delays one more and
// the other less, so the best trials are compared. (That the events do not wait
// for each other is shown exactly, in a bubble, beside the client.)
func TestACatchUpAndAConsumerThatReadsNothingDelayNoOtherWatch(t *testing.T) {
	const n, trials = 100_000, 5
	cl := cluster.Start(t, cluster.Options{})
	busy, calm, third := newClient(t, cl), newClient(t, cl), newClient(t, cl)
	inParallel(t, n, func(i int) error {
		_, err := calm.Put(t.Context(), fmt.Sprintf("log/%d", i%100), []byte("v"))
		return err
	})
	var same, elsewhere, long []time.Duration
	for range trials {
		worst, took := delayByCatchUp(t, busy, busy, calm, n)
		same, long = append(same, worst), append(long, took)
		worst, _ = delayByCatchUp(t, third, busy, calm, n)
		elsewhere = append(elsewhere, worst)
	}
	slices.Sort(same)
	slices.Sort(elsewhere)
	slices.Sort(long)
	t.Logf("the latest of each trial: %v, with another client catching up: %v, for %v", same, elsewhere, long)
	// An event that waited for the catch-up would be as late as that is long.
	require.LessOrEqual(t, same[0]-elsewhere[0], max(50*time.Millisecond, long[0]/4), "between the best trials")
}

// delayByCatchUp has a client catch up with n events, and with the same again
// for a consumer that reads none of them, and says by how much at most the
// events of another watch come later to busy than to calm, and how long the catch-up
// took.
func delayByCatchUp(t *testing.T, catching, busy, calm *client, n int) (worst, took time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	watch := func(c *client, set etcd.KeySet, opts ...etcd.WatchOption) *etcd.Watcher {
		w, err := c.Watch(ctx, set, opts...)
		require.NoError(t, err)
		return w
	}
	arrivals := func(w *etcd.Watcher) chan time.Time {
		at := make(chan time.Time, 1)
		go func() {
			defer close(at)
			for {
				if _, err := w.Next(ctx); err != nil {
					return
				}
				at <- time.Now()
			}
		}()
		return at
	}
	quick, control := watch(busy, etcd.Key("quick")), watch(calm, etcd.Key("quick"))
	here, there := arrivals(quick), arrivals(control)
	begin := time.Now()
	past := watch(catching, etcd.Prefix("log/"), etcd.FromRevision(1))
	unread := watch(catching, etcd.Prefix("log/"), etcd.FromRevision(1))
	caught := make(chan int, 1)
	var end time.Time // of the catch-up
	go func() {
		got := 0
		for got < n {
			batch, err := past.Next(ctx)
			if err != nil {
				break
			}
			got += len(batch.Events)
		}
		end = time.Now()
		caught <- got
	}()
	events := 0
	for ; len(caught) == 0 || events < 50; events++ {
		_, err := calm.Put(ctx, "quick", nil)
		require.NoError(t, err)
		worst = max(worst, (<-here).Sub(<-there))
	}
	require.Equal(t, n, <-caught)
	t.Logf("%d events caught up with in %v; each of %d others came %v later than elsewhere at worst", n, time.Since(begin), events, worst)
	for _, w := range []*etcd.Watcher{past, unread, quick, control} {
		w.Close()
	}
	for range here {
	}
	for range there {
	}
	return worst, end.Sub(begin)
}

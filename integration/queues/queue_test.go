//go:build unix

package queues

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/internal/queueaudit"
	"github.com/quorate/quorate/queue"
)

// data is what the queue's keys start with.
const data = queue.Root + "q/" + name + "/"

func newClient(t *testing.T, cl *cluster.Cluster, i int) *etcd.Client {
	t.Helper()
	c, err := etcd.New(etcd.Config{Endpoints: []string{cl.Direct(i)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// drained waits until nothing waits or is being worked on.
func drained(t *testing.T, q *queue.Queue[string], within time.Duration) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		st, err := q.Stats(t.Context())
		require.NoError(t, err)
		if st.Ready+st.Claimed+st.Delayed == 0 {
			return
		}
		require.True(t, time.Now().Before(end), "not worked off: %+v", st)
	}
}

// audit reads the whole history from etcd and replays it.
func audit(t *testing.T, c *etcd.Client) *queueaudit.Audit {
	t.Helper()
	now, err := c.Get(t.Context(), etcd.Key("x"))
	require.NoError(t, err)
	w, err := c.Watch(t.Context(), etcd.Prefix(data), etcd.FromRevision(1), etcd.WithPrev(), etcd.WithProgress(), etcd.Bulky())
	require.NoError(t, err)
	defer w.Close()
	a := queueaudit.New(data, func(string) bool { return false })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err = c.Put(ctx, data+"end", nil)
	require.NoError(t, err)
	for last := int64(0); last < now.Header.Revision; {
		evs, err := w.Next(ctx)
		require.NoError(t, err)
		var events []queueaudit.Event
		for _, e := range evs.Events {
			ev := queueaudit.Event{Revision: e.KV.ModRevision, Key: e.KV.Key, Value: e.KV.Value, Deleted: e.Type == etcd.EventDelete}
			if e.Prev != nil {
				ev.Prev = e.Prev.Value
			}
			events = append(events, ev)
			if e.KV.Key == data+"end" {
				last = e.KV.ModRevision
			}
		}
		a.Replay(events)
	}
	return a
}

// TestNothingIsLostWhileWorkersAreKilledAndStopped has processes work thousands
// of jobs while one after the other is killed, or stopped for longer than its
// lease lasts, and so is a member of the cluster.
func TestNothingIsLostWhileWorkersAreKilledAndStopped(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{Members: 3})
	c := newClient(t, cl, 0)
	q := queue.New[string](c, name)
	workers := make([]*worker, 4)
	for i := range workers {
		workers[i] = start(t, cl.Direct(i%3), 5+10*i, 1000)
	}
	ids := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	n := 0
	for round := range 10 {
		var batch []string
		for range 400 {
			batch = append(batch, fmt.Sprint(n))
			n++
		}
		added, err := q.EnqueueMany(t.Context(), batch, queue.Priority(round%3))
		require.NoError(t, err)
		for _, id := range added {
			ids[id] = true
		}
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
		i := r.IntN(len(workers))
		switch p := workers[i].cmd.Process; {
		case round == 5:
			require.NoError(t, cl.Pause(1))
			time.Sleep(time.Second)
			require.NoError(t, cl.Resume(1))
		case round%2 == 0:
			workers[i].kill()
			workers[i] = start(t, cl.Direct(i%3), 20, 1000)
		default:
			require.NoError(t, p.Signal(syscall.SIGSTOP))
			time.Sleep(ttl + time.Second)
			require.NoError(t, p.Signal(syscall.SIGCONT))
		}
	}
	drained(t, q, 3*time.Minute)
	for _, w := range workers {
		w.kill()
	}
	st, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Zero(t, st.Dead, "none has used up its attempts")
	a := audit(t, c)
	require.Empty(t, a.Faults)
	require.Empty(t, a.Left())
	require.Len(t, a.Gone, len(ids))
	for id := range ids {
		require.NotZero(t, a.Gone[id], "job %s is lost", id)
	}
	results := 0
	for kv, err := range c.List(t.Context(), etcd.Prefix("result/")) {
		require.NoError(t, err)
		require.EqualValues(t, 1, kv.Version, "%s was written twice", kv.Key)
		require.True(t, ids[strings.TrimPrefix(kv.Key, "result/")])
		results++
	}
	require.Equal(t, (n+2)/3, results)
}

func TestAPoisonousJobKillsItsWorkersAndNothingElse(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl, 0)
	q := queue.New[string](c, name)
	var batch []string
	for i := range 60 {
		batch = append(batch, fmt.Sprint(i))
	}
	batch[30] = "poison"
	ids, err := q.EnqueueMany(t.Context(), batch)
	require.NoError(t, err)
	var workers []*worker
	for end := time.Now().Add(3 * time.Minute); ; {
		w := start(t, cl.Direct(0), 50, 3)
		workers = append(workers, w)
		select {
		case <-w.done:
		case <-time.After(2 * ttl):
		}
		st, err := q.Stats(t.Context())
		require.NoError(t, err)
		if st.Dead == 1 && st.Ready+st.Claimed == 0 {
			break
		}
		require.True(t, time.Now().Before(end), "%+v", st)
	}
	deaths := 0
	for _, w := range workers {
		select {
		case <-w.done:
			deaths++
		default:
		}
	}
	require.Positive(t, deaths)
	require.LessOrEqual(t, deaths, 3, "no more than it had attempts")
	j, err := q.Get(t.Context(), ids[30])
	require.NoError(t, err)
	require.Equal(t, queue.Dead, j.State)
	require.Equal(t, "crash", j.DiedBy)
	a := audit(t, c)
	require.Empty(t, a.Faults)
	require.Len(t, a.Gone, 59)
}

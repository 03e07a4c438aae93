package integration_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/servers"
	"github.com/quorate/quorate/lock"
	"github.com/quorate/quorate/queue"
	"github.com/quorate/quorate/sequence"
)

// party is a client with a session of its own.
func party(t *testing.T, cl *cluster.Cluster) *etcd.Session {
	t.Helper()
	c, err := etcd.New(etcd.Config{Endpoints: []string{cl.Direct(0)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	s, err := etcd.NewSession(t.Context(), c, etcd.WithTTL(30*time.Second))
	require.NoError(t, err)
	return s
}

func TestTheRecipesWorkOnEveryReleaseLine(t *testing.T) {
	for _, line := range servers.Lines {
		t.Run(line, func(t *testing.T) {
			cl := cluster.Start(t, cluster.Options{Version: line})
			one, two := party(t, cl), party(t, cl)
			for name, check := range map[string]func(*testing.T, *etcd.Session, *etcd.Session){
				"a lock goes to who waits for it":             handOver,
				"leadership goes to who campaigns for it":     succession,
				"no number is given twice":                    numbers,
				"a job is worked on once, by whoever gets it": jobs,
			} {
				t.Run(name, func(t *testing.T) { check(t, one, two) })
			}
		})
	}
}

// acquired is what a goroutine got.
type acquired[T any] struct {
	got T
	err error
}

func handOver(t *testing.T, one, two *etcd.Session) {
	held, err := lock.New(one, "deploy").Acquire(t.Context())
	require.NoError(t, err)
	m := lock.New(two, "deploy")
	_, err = m.TryAcquire(t.Context())
	require.ErrorIs(t, err, lock.ErrHeld)
	next := make(chan acquired[*lock.Handle], 1)
	go func() {
		h, err := m.Acquire(t.Context())
		next <- acquired[*lock.Handle]{h, err}
	}()
	require.Eventually(t, func() bool {
		waiters, err := m.Waiters(t.Context())
		return err == nil && len(waiters) == 1
	}, 30*time.Second, 10*time.Millisecond)
	guarded := etcd.Txn{If: []etcd.Cmp{held.Guard()}, Then: []etcd.Op{etcd.Put("deployed", []byte("one"))}}
	res, err := one.Client().Txn(t.Context(), guarded)
	require.NoError(t, err)
	require.True(t, res.Succeeded)
	require.NoError(t, held.Release(t.Context()))
	got := <-next
	require.NoError(t, got.err)
	require.Greater(t, got.got.Token(), held.Token())
	res, err = one.Client().Txn(t.Context(), guarded)
	require.NoError(t, err)
	require.False(t, res.Succeeded, "the guard of who held it before is refused")
	require.NoError(t, got.got.Release(t.Context()))
}

func succession(t *testing.T, one, two *etcd.Session) {
	first, err := election.New(one, "scheduler").Campaign(t.Context(), []byte("one"))
	require.NoError(t, err)
	e := election.New(two, "scheduler")
	next := make(chan acquired[*election.Term], 1)
	go func() {
		term, err := e.Campaign(t.Context(), []byte("two"))
		next <- acquired[*election.Term]{term, err}
	}()
	require.Eventually(t, func() bool {
		candidates, err := e.Candidates(t.Context())
		return err == nil && len(candidates) == 1
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, first.Resign(t.Context()))
	got := <-next
	require.NoError(t, got.err)
	require.Greater(t, got.got.Token(), first.Token())
	leader, err := e.Leader(t.Context())
	require.NoError(t, err)
	require.Equal(t, "two", string(leader.Value))
	require.NoError(t, got.got.Resign(t.Context()))
}

func numbers(t *testing.T, one, two *etcd.Session) {
	const each = 50
	type numbers = acquired[[]int64]
	taken := make(chan numbers, 2)
	for _, s := range []*etcd.Session{one, two} {
		go func() {
			var out numbers
			seq := sequence.New(s.Client(), "invoices")
			for range each {
				var n int64
				if n, out.err = seq.Next(t.Context()); out.err != nil {
					break
				}
				out.got = append(out.got, n)
			}
			taken <- out
		}()
	}
	seen := map[int64]bool{}
	for range 2 {
		out := <-taken
		require.NoError(t, out.err)
		for _, n := range out.got {
			require.False(t, seen[n], "%d came twice", n)
			seen[n] = true
		}
	}
	require.Len(t, seen, 2*each)
	now, err := sequence.New(one.Client(), "invoices").Current(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2*each, now)
}

func jobs(t *testing.T, one, two *etcd.Session) {
	const n = 100
	work := func(s *etcd.Session) *queue.Consumer[int] {
		c, err := queue.New[int](s.Client(), "orders").Consumer(s)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
		return c
	}
	consumers := []*queue.Consumer[int]{work(one), work(two)}
	orders := queue.New[int](two.Client(), "orders")
	var all []int
	for i := range n {
		all = append(all, i)
	}
	_, err := orders.EnqueueMany(t.Context(), all)
	require.NoError(t, err)
	var done []int
	for turn := 0; len(done) < n; turn++ {
		ds, err := consumers[turn%2].Receive(t.Context(), 10)
		require.NoError(t, err)
		for _, d := range ds {
			require.NoError(t, d.Ack(t.Context()))
			done = append(done, d.Value)
		}
	}
	require.ElementsMatch(t, all, done)

	// One that comes when somebody waits for it.
	waited := make(chan acquired[[]*queue.Delivery[int]], 1)
	go func() {
		ds, err := consumers[0].Receive(t.Context(), 1)
		waited <- acquired[[]*queue.Delivery[int]]{ds, err}
	}()
	_, err = orders.Enqueue(t.Context(), n)
	require.NoError(t, err)
	got := <-waited
	require.NoError(t, got.err)
	require.Len(t, got.got, 1)
	require.Equal(t, n, got.got[0].Value)
	require.NoError(t, got.got[0].Ack(t.Context()))
	stats, err := orders.Stats(t.Context())
	require.NoError(t, err)
	require.Zero(t, stats.Ready+stats.Claimed+stats.Delayed+stats.Dead)
}

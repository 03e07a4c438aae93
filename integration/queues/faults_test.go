package queues

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/queue"
)

// Producers and workers at every member go on while members are killed, paused and
// cut off and replies are lost. Every job that was enqueued is done, and none is
// delivered after its acknowledgement.
func TestWhileMembersAreKilledPausedAndCutOffEveryJobIsDone(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{Members: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
	defer cancel()
	working, stop := context.WithCancel(t.Context())
	defer stop()
	l := &ledger{T: t, ids: map[string]bool{}, done: map[string]bool{}}
	var producers, workers sync.WaitGroup
	for i := range 3 {
		c, p := party.Troubled(t, cl, i), party.Troubled(t, cl, i)
		t.Cleanup(func() { require.NoError(t, errors.Join(c.Close(), p.Close())) })
		producers.Go(func() { l.produce(ctx, p) })
		workers.Go(func() { l.work(working, c) })
	}
	producers.Go(func() { party.Trouble(ctx, t, cl) })
	producers.Wait()
	require.NoError(t, cl.WaitReady(t.Context()))

	c := party.Client(t, cl.Endpoints()...)
	drained(t, queue.New[string](c, name), time.Minute)
	stop()
	workers.Wait()
	a := audit(t, c)
	require.Empty(t, a.Faults)
	require.Empty(t, a.Left())
	t.Logf("%d jobs enqueued, %d done, %d acknowledgements told", len(l.ids), len(a.Gone), len(l.done))
	require.Greater(t, len(l.ids), 100)
	for id := range l.ids {
		require.NotZero(t, a.Gone[id], "job %s is lost", id)
	}
	for id := range l.done {
		require.NotZero(t, a.Gone[id], "job %s was told to be done", id)
	}
	for kv, err := range c.List(t.Context(), etcd.Prefix("result/")) {
		require.NoError(t, err)
		require.EqualValues(t, 1, kv.Version, "%s was written twice", kv.Key)
		require.NotZero(t, a.Gone[strings.TrimPrefix(kv.Key, "result/")], "%s, whose job is not done", kv.Key)
	}
}

// ledger is what producers and workers were told.
type ledger struct {
	*testing.T
	mu   sync.Mutex
	ids  map[string]bool // enqueued
	done map[string]bool // acknowledged
}

// produce enqueues in every way until ctx ends.
func (l *ledger) produce(ctx context.Context, c *etcd.Client) {
	q := queue.New[string](c, name)
	for i := 0; ctx.Err() == nil; i++ {
		var ids []string
		call, cancel := context.WithTimeout(ctx, 3*time.Second)
		var err error
		switch i % 4 {
		case 0:
			ids, err = q.EnqueueMany(call, []string{"a", "b", "c", "d", "e"}, queue.Priority(rand.IntN(3)))
		case 1:
			var id string
			id, err = q.Enqueue(call, "later", queue.Delay(time.Duration(rand.IntN(500))*time.Millisecond))
			ids = []string{id}
		case 2:
			id, op, _ := q.EnqueueOp("outbox")
			ids = []string{id}
			_, err = c.Txn(call, etcd.Txn{Then: []etcd.Op{op}})
		default:
			var id string
			id, err = q.Enqueue(call, "one")
			ids = []string{id}
		}
		cancel()
		if err == nil {
			l.mu.Lock()
			for _, id := range ids {
				l.ids[id] = true
			}
			l.mu.Unlock()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// work runs workers, one after the other as their sessions end, until ctx ends.
func (l *ledger) work(ctx context.Context, c *etcd.Client) {
	for ctx.Err() == nil {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(ttl))
		if err != nil {
			continue
		}
		_ = queue.NewWorker(s, queue.New[string](c, name), l.handle, queue.WorkerConfig{
			Concurrency: 4, MaxAttempts: 1000, RetryMin: time.Millisecond, RetryMax: 50 * time.Millisecond,
			StopTimeout: time.Second, KillTimeout: time.Second, Observe: l.observe,
		}).Run(ctx)
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = s.Close(bye)
		cancel()
	}
}

func (l *ledger) handle(ctx context.Context, d *queue.Delivery[string]) error {
	l.mu.Lock()
	again := l.done[d.ID]
	l.mu.Unlock()
	if again && d.Err() == nil {
		l.Errorf("job %s is delivered after its acknowledgement", d.ID)
	}
	switch rand.IntN(5) {
	case 0:
		return fmt.Errorf("attempt %d", d.Attempt)
	case 1:
		res, err := d.AckWith(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.Missing(etcd.Key("result/" + d.ID))},
			Then: []etcd.Op{etcd.Put("result/"+d.ID, nil)},
		})
		if err == nil && !res.Succeeded {
			l.Errorf("job %s is delivered although its result is there", d.ID)
		}
		return err
	}
	return nil
}

func (l *ledger) observe(o queue.Outcome) {
	if o.What != queue.Done {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[o.Job.ID] = true
}

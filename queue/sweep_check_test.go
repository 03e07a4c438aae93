package queue_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/queueaudit"
	"github.com/quorate/quorate/queue"
)

// finish lets another process work off what is left, and checks all that
// happened.
func (a *act) finish() {
	a.Helper()
	if a.n != nil && a.n.Consumer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = a.n.Close(ctx)
		cancel()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	_ = a.s.Close(ctx)
	cancel()
	time.Sleep(time.Minute)
	c := a.client(func(cfg *etcd.Config) { cfg.Endpoints = cfg.Endpoints[2:] })
	helper := a.nodeOf(c, a.session(c))
	a.m = mishap{}
	for range 2 {
		a.work(helper, context.Background(), 10*time.Second)
		_, err := helper.q.Redrive(context.Background())
		require.NoError(a, err)
	}
	a.work(helper, context.Background(), 10*time.Second)
	for _, id := range a.removed { // where the outcome was open
		if err := helper.q.Cancel(context.Background(), id); err != nil {
			require.ErrorIs(a, err, queue.ErrNotFound)
		}
	}
	// Of an enqueue whose outcome was left open a delayed one may be there.
	_, err := helper.q.Purge(context.Background(), queue.Delayed)
	require.NoError(a, err)
	a.settle()
	a.atRest()

	log := a.audit(append(a.removed, a.openEnded()...)...)
	require.Empty(a, log.Left())
	for id := range a.ids {
		require.NotZero(a, log.Gone[id], "job %s is lost", id)
	}
	for id := range a.settled {
		require.True(a, id == "returned" || log.Gone[id] != 0, "job %s is not gone, but was acknowledged", id)
	}
	results := map[string]int{}
	for _, e := range a.srv.Events() {
		if len(e.KV.Key) > 7 && e.KV.Key[:7] == "result/" {
			results[e.KV.Key]++
		}
	}
	for k, n := range results {
		require.Equal(a, 1, n, "%s was written more than once", k)
	}
	require.LessOrEqual(a, len(results), 1)
	a.empty()
}

// openEnded gives the ids of delayed jobs whose enqueueing had an unknown
// outcome.
func (a *act) openEnded() (ids []string) {
	for _, e := range a.srv.Events() {
		if !e.Deleted && len(e.KV.Key) > len(data)+6 && e.KV.Key[len(data):len(data)+6] == "later/" {
			if id := queueaudit.JobID(e.KV.Value); !a.ids[id] {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

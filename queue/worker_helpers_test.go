package queue_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// A shop is a queue of strings in an in-memory etcd in a bubble, where time is
// virtual: a place where workers work.
type shop struct {
	*world
	q *queue.Queue[string] // the test's own
}

// inShops tells a story twice, as inBubbles does.
func inShops(t *testing.T, f func(s *shop), opts ...etcdtest.Option) {
	t.Helper()
	inBubbles(t, func(w *world) {
		s := &shop{world: w}
		s.q = queue.New[string](s.client(), "jobs")
		f(s)
	}, opts...)
}

// push adds jobs and gives their ids.
func (s *shop) push(jobs ...string) []string {
	s.Helper()
	ids, err := s.q.EnqueueMany(s.Context(), jobs)
	require.NoError(s, err)
	return ids
}

// stats gives the queue's statistics.
func (s *shop) stats() queue.Stats {
	s.Helper()
	st, err := s.q.Stats(s.Context())
	require.NoError(s, err)
	return st
}

// jobs lists the jobs in a state.
func (s *shop) jobs(state queue.State) (out []queue.Job) {
	s.Helper()
	for j, err := range s.q.List(s.Context(), state) {
		require.NoError(s, err)
		out = append(out, j)
	}
	return out
}

// crew is a worker that runs, in a process of its own.
type crew struct {
	*queue.Worker[string]
	s       *shop
	session *etcd.Session
	stop    context.CancelFunc // the soft stop
	done    chan error

	mu       sync.Mutex
	outcomes []queue.Outcome
}

// work starts a worker.
func (s *shop) work(h queue.Handler[string], change ...func(*queue.WorkerConfig)) *crew {
	s.Helper()
	client := s.client()
	session, err := etcd.NewSession(s.Context(), client)
	require.NoError(s, err)
	s.Cleanup(func() { _ = session.Close(context.Background()) })
	c := &crew{s: s, session: session, done: make(chan error, 1)}
	cfg := queue.WorkerConfig{Concurrency: 4, Observe: c.observe}
	for _, f := range change {
		f(&cfg)
	}
	c.Worker = queue.NewWorker(session, queue.New[string](client, "jobs"), h, cfg)
	ctx, cancel := context.WithCancel(s.Context())
	c.stop = cancel
	gone := make(chan struct{})
	s.Cleanup(func() {
		cancel()
		c.StopNow()
		<-gone
	})
	go func() {
		defer close(gone)
		c.done <- c.Run(ctx)
	}()
	return c
}

func (c *crew) observe(o queue.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes = append(c.outcomes, o)
}

// seen gives the outcomes there were.
func (c *crew) seen() []queue.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.outcomes)
}

// verdicts gives the verdicts there were, in order.
func (c *crew) verdicts() (out []queue.Verdict) {
	for _, o := range c.seen() {
		out = append(out, o.What)
	}
	return out
}

// ended waits for Run to return.
func (c *crew) ended() error {
	c.s.Helper()
	select {
	case err := <-c.done:
		return err
	case <-time.After(time.Hour):
		c.s.Fatal("Run does not return")
		return nil
	}
}

// runs asserts that Run has not returned.
func (c *crew) runs() {
	c.s.Helper()
	c.s.settle()
	select {
	case err := <-c.done:
		c.s.Fatalf("Run has returned: %v", err)
	default:
	}
}

// drain makes the worker end when the queue is empty.
func drain(cfg *queue.WorkerConfig) { cfg.Drain = true }

// hang is a handler that works until its context ends, and tells why it did.
func hang(ctx context.Context, _ *queue.Delivery[string]) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// soon waits a little, in virtual time.
func soon() { time.Sleep(500 * time.Millisecond) }

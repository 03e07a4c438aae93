package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

func init() {
	scenarios = append(scenarios,
		scenario{name: "queue-16", unit: "jobs/s", better: "higher", must: 1000, aim: 1000, mustBe: 12_000, aimBe: 25_000,
			ours: ourQueue(1, 1), peer: peerQueue},
		scenario{name: "queue-procs", unit: "jobs/s", better: "higher", must: 8_000, aim: 16_000, ours: ourQueue(4, 4)},
		scenario{name: "queue-flat", unit: "x", better: "lower", must: 1.3, aim: 1.1, ours: queueFlat},
	)
}

const (
	queueJobs     = 20_000 // of a round, and waiting in the peer's queue
	queueRoutines = 16     // that produce, or consume, in each client
)

// ourQueue has goroutines of some clients enqueue jobs one by one, while workers
// of other clients work on them, until every job is acknowledged. The figure is
// the jobs that went through, a second; the times are those of a job's way from the
// call of Enqueue until it is acknowledged.
func ourQueue(producers, consumers int) setup {
	return func(ctx context.Context, endpoints []string) (*side, error) {
		crowd := &queueCrowd{begun: time.Now(), took: make([]time.Duration, queueJobs)}
		for range producers + consumers {
			c, requests, err := ourClient(endpoints)
			if err != nil {
				return nil, err
			}
			crowd.clients, crowd.requests = append(crowd.clients, c), append(crowd.requests, requests)
		}
		name := fmt.Sprintf("bench-%d-%d", producers, consumers)
		if err := crowd.staff(ctx, name, crowd.clients[producers:]); err != nil {
			return nil, err
		}
		var queues []*queue.Queue[[]byte]
		for _, c := range crowd.clients[:producers] {
			queues = append(queues, queue.New[[]byte](c, name))
		}
		return &side{close: crowd.close, requests: crowd.sent, once: func(ctx context.Context) (sample, error) {
			return crowd.through(ctx, queues)
		}}, nil
	}
}

// A queueCrowd is clients, of which some have workers that count what they do.
type queueCrowd struct {
	clients  []*etcd.Client
	requests []func() int64
	sessions []*etcd.Session
	stop     []func() error
	begun    time.Time       // what is written into jobs is the time since then
	took     []time.Duration // of each job of a round
	seen     atomic.Int64    // how many of these there are
	done     atomic.Int64
}

// sent counts the requests of all clients.
func (q *queueCrowd) sent() (n int64) {
	for _, requests := range q.requests {
		n += requests()
	}
	return n
}

// staff starts a worker in each of clients.
func (q *queueCrowd) staff(ctx context.Context, name string, clients []*etcd.Client) error {
	for _, c := range clients {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
		if err != nil {
			return err
		}
		q.sessions = append(q.sessions, s)
		w := queue.NewWorker(s, queue.New[[]byte](c, name), nothing, queue.WorkerConfig{
			Concurrency: queueRoutines,
			Observe: func(o queue.Outcome) {
				if o.What == queue.Done {
					q.note(o.Job.Payload)
				}
			},
		})
		working, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- w.Run(working) }()
		q.stop = append(q.stop, func() error {
			stop()
			return <-ended
		})
	}
	return nil
}

// nothing is all that is done for a job.
func nothing(context.Context, *queue.Delivery[[]byte]) error { return nil }

// stamped gives a payload that tells when it was made.
func (q *queueCrowd) stamped() []byte {
	p := slices.Clone(payload)
	binary.LittleEndian.PutUint64(p, uint64(time.Since(q.begun)))
	return p
}

// note takes in that the job of a payload is done.
func (q *queueCrowd) note(p []byte) {
	q.took[q.seen.Add(1)-1] = time.Since(q.begun) - time.Duration(binary.LittleEndian.Uint64(p))
	q.done.Add(1)
}

// through measures a round.
func (q *queueCrowd) through(ctx context.Context, queues []*queue.Queue[[]byte]) (sample, error) {
	routines := queueRoutines * len(queues)
	each := queueJobs / routines
	q.seen.Store(0)
	goal := q.done.Load() + int64(each*routines)
	begin := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for i := range routines {
		g.Go(func() error {
			for range each {
				if _, err := queues[i%len(queues)].Enqueue(gctx, q.stamped()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return sample{}, err
	}
	for q.done.Load() < goal {
		if time.Since(begin) > time.Minute {
			st, err := queues[0].Stats(ctx)
			return sample{}, fmt.Errorf("%d jobs are not done: %+v, %w", goal-q.done.Load(), st, err)
		}
		time.Sleep(time.Millisecond)
	}
	elapsed := time.Since(begin)
	x := sampleOf(q.took[:each*routines])
	x.value = float64(each*routines) / elapsed.Seconds()
	return x, nil
}

func (q *queueCrowd) close() {
	for _, stop := range q.stop {
		_ = stop()
	}
	for _, s := range q.sessions {
		_ = s.Close(context.Background())
	}
	for _, c := range q.clients {
		_ = c.Close()
	}
}

// peerQueue lets 16 goroutines dequeue while 20,000 jobs wait.
func peerQueue(ctx context.Context, endpoints []string) (*side, error) {
	c, err := peerClient(endpoints)
	if err != nil {
		return nil, err
	}
	prefix := fmt.Sprintf("peer/bench-queue-%d", time.Now().UnixNano())
	g, _ := errgroup.WithContext(ctx)
	for range 128 {
		g.Go(func() error {
			q := recipe.NewQueue(c, prefix)
			for range queueJobs/128 + 1 {
				if err := q.Enqueue(string(payload)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var queues []*recipe.Queue
	for range queueRoutines {
		queues = append(queues, recipe.NewQueue(c, prefix))
	}
	return &side{workers: queueRoutines, cold: true, close: func() { c.Close() }, call: func(_ context.Context, w, _ int) error {
		_, err := queues[w].Dequeue()
		return err
	}}, nil
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

// The jobs that went through the two queues whose dequeues are compared, and
// the jobs of a comparison.
const (
	flatYoung  = 2_000
	flatOld    = 200_000
	flatJobs   = 300
	flatRounds = 5
)

// queueFlat compares what it costs to dequeue and acknowledge a job of a queue
// that 200,000 went through, and of one that 2,000 went through, with nothing
// compacted. The figure is the first time over the second; the percentiles are of
// the queue that 200,000 went through.
func queueFlat(ctx context.Context, endpoints []string) (*side, error) {
	c, requests, err := ourClient(endpoints)
	if err != nil {
		return nil, err
	}
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
	if err != nil {
		return nil, err
	}
	var qs [2]*agedQueue
	for i, n := range []int{flatYoung, flatOld} {
		q := queue.New[[]byte](c, fmt.Sprintf("bench-flat-%d-%d", n, time.Now().UnixNano()))
		consumer, err := q.Consumer(s)
		if err != nil {
			return nil, err
		}
		qs[i] = &agedQueue{q, consumer}
		if err := qs[i].age(ctx, n); err != nil {
			return nil, err
		}
	}
	return &side{requests: requests,
		close: func() {
			for _, q := range qs {
				_ = q.c.Close(context.Background())
			}
			closeAll(c, []*etcd.Session{s})
		},
		once: func(ctx context.Context) (sample, error) {
			var ratios []float64
			var times []time.Duration
			for range flatRounds {
				young, err := qs[0].dequeue(ctx)
				if err != nil {
					return sample{}, err
				}
				old, err := qs[1].dequeue(ctx)
				if err != nil {
					return sample{}, err
				}
				ratios = append(ratios, float64(sum(old))/float64(sum(young)))
				times = append(times, old...)
			}
			slices.Sort(ratios)
			x := sampleOf(times)
			x.value, x.calls = ratios[len(ratios)/2], 2*len(times)
			return x, nil
		}}, nil
}

// agedQueue is a queue with a consumer.
type agedQueue struct {
	q *queue.Queue[[]byte]
	c *queue.Consumer[[]byte]
}

func (a *agedQueue) fill(ctx context.Context, n int) error {
	jobs := slices.Repeat([][]byte{payload}, min(n, 2_000))
	for ; n > 0; n -= len(jobs) {
		if _, err := a.q.EnqueueMany(ctx, jobs[:min(n, len(jobs))]); err != nil {
			return err
		}
	}
	return nil
}

// age has n jobs go through the queue.
func (a *agedQueue) age(ctx context.Context, n int) error {
	if err := a.fill(ctx, n); err != nil {
		return err
	}
	for n > 0 {
		ds, err := a.c.Receive(ctx, 1_000)
		if err != nil {
			return err
		}
		if err := ackAll(ctx, ds); err != nil {
			return err
		}
		n -= len(ds)
	}
	return nil
}

func ackAll(ctx context.Context, ds []*queue.Delivery[[]byte]) error {
	errs := make(chan error, len(ds))
	for _, d := range ds {
		go func() { errs <- d.Ack(ctx) }()
	}
	var failed error
	for range ds {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return failed
}

// dequeue measures how long it takes to receive and acknowledge jobs one by one.
func (a *agedQueue) dequeue(ctx context.Context) ([]time.Duration, error) {
	if err := a.fill(ctx, flatJobs); err != nil {
		return nil, err
	}
	var times []time.Duration
	for range flatJobs {
		begin := time.Now()
		ds, err := a.c.Receive(ctx, 1)
		if err != nil {
			return nil, err
		}
		if err := ds[0].Ack(ctx); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}

func sum(times []time.Duration) (all time.Duration) {
	for _, t := range times {
		all += t
	}
	return all
}

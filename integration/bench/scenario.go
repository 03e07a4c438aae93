package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A scenario is one figure: what a client does, and how well it must do it.
type scenario struct {
	name   string
	unit   string
	better string  // "higher" or "lower"
	must   float64 // the ratio to reach; without a peer, the figure itself
	aim    float64
	mustBe float64 // beside a ratio: the figure itself to reach; 0 where there is none
	aimBe  float64
	ours   setup
	peer   setup // nil where there is none to compare with
}

// A setup makes a client ready for a scenario.
type setup func(ctx context.Context, endpoints []string) (*side, error)

// A side is one client in a scenario: either calls to be repeated, or a run
// that measures itself.
type side struct {
	workers int
	call    func(ctx context.Context, worker, i int) error
	once    func(ctx context.Context) (sample, error)
	perCall bool // the figure is the time a call takes, not calls per second
	// requests counts the requests sent so far; nil where unknown.
	requests func() int64
	close    func()
}

// A plan is how long to measure.
type plan struct {
	rounds      int
	round, warm time.Duration
}

// A sample is what one round of one side gave.
type sample struct {
	value    float64
	p50, p99 time.Duration
	allocs   float64 // per call, the embedded server's included
	requests float64 // per call
}

// A row is a scenario's result.
type row struct {
	scenario
	ours, peer sample
	ratio      float64
}

// measure runs both sides in turn and takes the median of the ratios of
// neighbouring rounds, so that what else the machine does hits both alike.
func (s scenario) measure(ctx context.Context, endpoints []string, p plan) (row, error) {
	r := row{scenario: s}
	ours, err := s.ours(ctx, endpoints)
	if err != nil {
		return r, err
	}
	defer ours.close()
	sides := []*side{ours}
	if s.peer != nil {
		peer, err := s.peer(ctx, endpoints)
		if err != nil {
			return r, fmt.Errorf("peer: %w", err)
		}
		defer peer.close()
		sides = append(sides, peer)
	}
	samples := make([][]sample, len(sides))
	var ratios []float64
	for round := range p.rounds {
		for i, sd := range sides {
			if round == 0 && p.warm > 0 && sd.once == nil {
				if _, err := sd.run(ctx, p.warm); err != nil {
					return r, err
				}
			}
			runtime.GC()
			x, err := sd.run(ctx, p.round)
			if err != nil {
				return r, err
			}
			samples[i] = append(samples[i], x)
		}
		if len(sides) == 2 {
			ratios = append(ratios, samples[0][round].value/samples[1][round].value)
		}
	}
	r.ours = middle(samples[0])
	if len(sides) == 2 {
		r.peer = middle(samples[1])
		slices.Sort(ratios)
		r.ratio = ratios[len(ratios)/2]
	}
	return r, nil
}

// middle gives the sample of median value.
func middle(xs []sample) sample {
	xs = slices.Clone(xs)
	slices.SortFunc(xs, func(a, b sample) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	return xs[len(xs)/2]
}

// run lets every worker call as fast as it can for d.
func (s *side) run(ctx context.Context, d time.Duration) (sample, error) {
	if s.once != nil {
		return s.once(ctx)
	}
	var (
		wg    sync.WaitGroup
		stop  atomic.Bool
		mu    sync.Mutex
		times []time.Duration
		fail  error
	)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var sent int64
	if s.requests != nil {
		sent = s.requests()
	}
	begin := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	for w := range s.workers {
		wg.Go(func() {
			mine := make([]time.Duration, 0, 1<<14)
			for i := 0; !stop.Load(); i++ {
				t := time.Now()
				if err := s.call(ctx, w, i); err != nil {
					mu.Lock()
					fail = err
					mu.Unlock()
					stop.Store(true)
					return
				}
				mine = append(mine, time.Since(t))
			}
			mu.Lock()
			times = append(times, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	if fail != nil {
		return sample{}, fail
	}
	if len(times) == 0 {
		return sample{}, fmt.Errorf("no call returned within %v", d)
	}
	slices.Sort(times)
	n := float64(len(times))
	x := sample{
		value:  n / elapsed.Seconds(),
		p50:    times[len(times)/2],
		p99:    times[len(times)*99/100],
		allocs: float64(after.Mallocs-before.Mallocs) / n,
	}
	if s.perCall {
		x.value = float64(x.p50) / float64(time.Millisecond)
	}
	if s.requests != nil {
		x.requests = float64(s.requests()-sent) / n
	}
	return x, nil
}

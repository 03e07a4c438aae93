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

// A plan is how long to measure.
type plan struct {
	rounds      int
	round, warm time.Duration
	share       time.Duration // after so long no further round begins; 0 is no limit
}

// A round is what both sides gave, one right after the other.
type round struct{ ours, peer sample }

func (r round) ratio() float64 { return r.ours.value / r.peer.value }

// measure runs both sides in turn and takes the round whose ratio is the
// median, so that what else the machine does hits both alike. Every other
// round begins with the peer.
func (s scenario) measure(ctx context.Context, endpoints []string, p plan) (row, error) {
	begin := time.Now()
	ours, err := s.ours(ctx, endpoints)
	if err != nil {
		return row{}, err
	}
	defer ours.close()
	sides := []*side{ours}
	if s.peer != nil {
		peer, err := s.peer(ctx, endpoints)
		if err != nil {
			return row{}, fmt.Errorf("peer: %w", err)
		}
		defer peer.close()
		if peer.requests == nil {
			peer.requests = peerRequests.Load
		}
		sides = append(sides, peer)
	}
	if err := warmUp(ctx, sides, p.warm); err != nil {
		return row{}, err
	}
	var rounds []round
	for n := range p.rounds {
		started := time.Now()
		var x round
		for i := range sides {
			if len(sides) == 2 && n%2 == 1 {
				i = 1 - i
			}
			out := [...]*sample{&x.ours, &x.peer}[i]
			if *out, err = sides[i].run(ctx, p.round); err != nil {
				return row{}, fmt.Errorf("%s: %w", [...]string{"ours", "peer"}[i], err)
			}
		}
		rounds = append(rounds, x)
		if ours.fixed || p.share > 0 && time.Since(begin)+time.Since(started) > p.share {
			break
		}
	}
	x := s.median(rounds)
	r := row{scenario: s, ours: x.ours, peer: x.peer, rounds: len(rounds)}
	if s.peer != nil {
		r.ratio = x.ratio()
	}
	return r, nil
}

// warmUp lets connections be made and caches be filled. A run that measures
// itself has that in it.
func warmUp(ctx context.Context, sides []*side, d time.Duration) error {
	for _, sd := range sides {
		if d > 0 && sd.once == nil && !sd.cold {
			if _, err := sd.run(ctx, d); err != nil {
				return fmt.Errorf("warm-up: %w", err)
			}
		}
	}
	return nil
}

// median gives the round of median ratio, or, without a peer, of median value;
// of an even number the worse of the two in the middle.
func (s scenario) median(rounds []round) round {
	figure := func(r round) float64 {
		if s.peer == nil {
			return r.ours.value
		}
		return r.ratio()
	}
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b round) int {
		switch x, y := figure(a), figure(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	if s.better == "lower" {
		return sorted[len(sorted)/2]
	}
	return sorted[(len(sorted)-1)/2]
}

// run measures one round, beginning with a clean heap.
func (s *side) run(ctx context.Context, d time.Duration) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var sent int64
	if s.requests != nil {
		sent = s.requests()
	}
	var x sample
	var err error
	if s.once != nil {
		x, err = s.once(ctx)
	} else {
		x, err = s.repeat(ctx, d)
	}
	if err != nil {
		return sample{}, err
	}
	runtime.ReadMemStats(&after)
	if x.calls > 0 {
		x.allocs = float64(after.Mallocs-before.Mallocs) / float64(x.calls)
		if s.requests != nil {
			x.requests = float64(s.requests()-sent) / float64(x.calls)
		}
	}
	return x, nil
}

// repeat lets every worker call as fast as it can for d.
func (s *side) repeat(ctx context.Context, d time.Duration) (sample, error) {
	var (
		wg    sync.WaitGroup
		stop  atomic.Bool
		mu    sync.Mutex
		times []time.Duration
		fail  error
	)
	begin := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	for w := range s.workers {
		wg.Go(func() {
			mine := make([]time.Duration, 0, 1<<12)
			var err error
			for i := 0; err == nil && !stop.Load(); i++ {
				t := time.Now()
				if err = s.call(ctx, w, i); err == nil {
					mine = append(mine, time.Since(t))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, mine...)
			if err != nil && fail == nil {
				fail = err
				stop.Store(true)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	if fail != nil {
		return sample{}, fail
	}
	if len(times) == 0 {
		return sample{}, fmt.Errorf("no call returned within %v", d)
	}
	x := sampleOf(times)
	x.value = float64(len(times)) / elapsed.Seconds()
	if s.perCall {
		x.value = milliseconds(x.p50)
	}
	return x, nil
}

// sampleOf gives the percentiles of times, which it sorts.
func sampleOf(times []time.Duration) sample {
	slices.Sort(times)
	return sample{calls: len(times), p50: percentile(times, 50), p99: percentile(times, 99)}
}

// percentile gives the smallest of sorted that at least p of a hundred do not
// exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

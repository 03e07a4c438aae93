package queue

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// prefetchTime is how much work a consumer has at hand, about.
	prefetchTime = 100 * time.Millisecond
	// prefetchMost bounds what is claimed in advance by default.
	prefetchMost = 1000
)

// prefetching finds how much is to be claimed in advance.
type prefetching struct {
	fixed bool
	spare int           // what handlers take at once
	busy  chan struct{} // a token: a job was begun
	done  atomic.Int64  // jobs done since the last look
	took  atomic.Int64  // how long a job takes, in ns; of late
}

func (p *prefetching) init(cfg WorkerConfig) {
	p.fixed, p.spare = cfg.Prefetch != 0, cfg.Concurrency
	p.busy = make(chan struct{}, 1)
}

// begun is called when a job is begun.
func (p *prefetching) begun() {
	select {
	case p.busy <- struct{}{}:
	default:
	}
}

// ended is called when a job is done. Of two at the same time one may not count.
func (p *prefetching) ended(took time.Duration) {
	p.done.Add(1)
	last, now := p.took.Load(), max(int64(took), 1)
	if last != 0 {
		now = last + (now-last)/8
	}
	p.took.Store(now)
}

// next gives how much to claim in advance after n in the last prefetchTime: not
// more than was done, nor than can be done, in as long. It grows at once and
// shrinks by halves when jobs cease to be done.
func (p *prefetching) next(n int) int {
	n = min(max(int(p.done.Swap(0)), n/2), prefetchMost)
	if took := p.took.Load(); took > 0 {
		n = min(n, int(int64(prefetchTime)*int64(p.spare)/took))
	}
	return n
}

// adjust keeps the prefetch at what handlers do in prefetchTime, as long as they
// do anything. What turns out to be far too much is handed back for others to
// take.
func (r *workerRun[T]) adjust(ctx context.Context) {
	p := &r.pace
	if p.fixed {
		return
	}
	tick := time.NewTicker(prefetchTime)
	defer tick.Stop()
	n := 0
	for ctx.Err() == nil {
		if n == 0 { // nothing to look after until a job is begun
			select {
			case <-p.busy:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		n = p.next(n)
		keep := n + p.spare
		left, wanted := r.c.setPrefetch(n)
		if n == 0 && !wanted { // all handlers are busy, and for long
			keep = 0
		}
		if left > 2*keep {
			if err := r.c.handBackFrom(ctx, keep); err != nil {
				r.log.Debug("queue worker could not hand back", "queue", r.c.q.name, "error", err)
			}
		}
	}
}

package queue

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/pace"
)

// workerRun is one Run of a Worker.
type workerRun[T any] struct {
	c       *Consumer[T]
	handler Handler[T]
	cfg     WorkerConfig
	log     *slog.Logger

	working context.Context // the handlers' contexts are made of it
	kill    context.CancelCauseFunc

	settling context.Context // of the calls that settle deliveries
	give     context.CancelFunc

	idle   chan struct{}   // a token for each handler that is free
	acks   chan doneJob[T] // done, to be acknowledged
	noAcks chan struct{}   // closed when nobody does that any more
	pace   prefetching

	mu      sync.Mutex
	running map[*Delivery[T]]bool
	quiet   chan struct{} // closed when stopping and nothing is running
	stopped bool          // no more are started
}

func newWorkerRun[T any](ctx context.Context, c *Consumer[T], h Handler[T], cfg WorkerConfig) *workerRun[T] {
	r := &workerRun[T]{
		c: c, handler: h, cfg: cfg, log: cfg.Logger,
		idle:    make(chan struct{}, cfg.Concurrency),
		acks:    make(chan doneJob[T], 2*maxAcks),
		noAcks:  make(chan struct{}),
		running: make(map[*Delivery[T]]bool),
		quiet:   make(chan struct{}),
	}
	if r.log == nil {
		r.log = c.q.log
	}
	r.working, r.kill = context.WithCancelCause(context.WithoutCancel(ctx))
	r.settling, r.give = context.WithCancel(context.WithoutCancel(ctx))
	r.pace.init(cfg)
	for range cfg.Concurrency {
		r.idle <- struct{}{}
	}
	return r
}

// settleTimeout bounds what is still to be settled when all handlers have ended.
const settleTimeout = 10 * time.Second

// errDrained ends the taking of jobs when the queue is empty.
var errDrained = errors.New("the queue is empty")

// run takes jobs until it is told to stop, and stops in order.
func (r *workerRun[T]) run(ctx context.Context, hard <-chan struct{}) error {
	defer r.give()
	defer r.kill(nil)
	var helpers sync.WaitGroup
	noMore := make(chan struct{}) // no more acks come
	helpers.Go(func() { r.acknowledge(noMore) })
	taking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	helpers.Go(func() { r.adjust(taking) })
	helpers.Go(func() {
		select {
		case <-hard:
			stop(ErrWorkerStopped)
		case <-taking.Done():
		}
	})
	if r.cfg.Drain {
		helpers.Go(func() {
			if r.awaitEmpty(taking) {
				stop(errDrained)
			}
		})
	}
	err := r.take(taking)
	stop(nil)

	helpers.Go(r.handBack)
	still := r.stop(hard, err != nil)
	timer := time.AfterFunc(settleTimeout, r.give)
	defer timer.Stop()
	close(noMore)
	helpers.Wait()
	if err == nil {
		err = r.c.over() // it ended while the worker stopped
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if cerr := r.c.close(closing); err == nil && cerr != nil {
		err = cerr
	}
	if len(still) > 0 {
		err = errors.Join(err, &StillRunningError{Jobs: still})
	}
	return err
}

// take receives jobs and starts handlers until ctx or the consumer ends; only
// the latter is an error.
func (r *workerRun[T]) take(ctx context.Context) error {
	var retries pace.Retries
	for {
		n := r.free(ctx)
		if n == 0 {
			return r.c.over()
		}
		ds, err := r.c.Receive(ctx, n)
		for range n - len(ds) {
			r.idle <- struct{}{}
		}
		switch {
		case err == nil:
			retries = pace.Retries{}
		case r.c.over() != nil:
			return r.c.over()
		case ctx.Err() != nil:
			return nil
		default:
			r.log.Warn("queue worker could not claim", "queue", r.c.q.name, "error", err)
			if retries.Wait(ctx) != nil {
				return nil
			}
		}
		for _, d := range ds {
			r.start(d)
		}
	}
}

// free waits until a handler is free and gives how many are: 0 if ctx or the
// consumer ended.
func (r *workerRun[T]) free(ctx context.Context) (n int) {
	select {
	case <-r.idle:
	case <-ctx.Done():
		return 0
	case <-r.c.life.Done():
		return 0
	}
	for n = 1; ; n++ {
		select {
		case <-r.idle:
		default:
			return n
		}
	}
}

// start has a handler work on d. Those that run are waited for by stop.
func (r *workerRun[T]) start(d *Delivery[T]) {
	r.mu.Lock()
	r.running[d] = true
	r.mu.Unlock()
	r.pace.begun()
	go func() {
		defer r.ended(d)
		r.work(d)
	}()
}

func (r *workerRun[T]) ended(d *Delivery[T]) {
	r.mu.Lock()
	delete(r.running, d)
	if r.stopped && len(r.running) == 0 {
		close(r.quiet)
	}
	r.mu.Unlock()
	r.idle <- struct{}{}
}

// stop waits for the handlers, softly first if that is of any use, and gives the
// jobs of those that do not return.
func (r *workerRun[T]) stop(hard <-chan struct{}, over bool) (still []string) {
	r.mu.Lock()
	r.stopped = true
	if len(r.running) == 0 {
		close(r.quiet)
	}
	r.mu.Unlock()
	if !over {
		select {
		case <-r.quiet:
			return nil
		case <-hard:
		case <-r.c.life.Done():
		case <-after(r.cfg.StopTimeout):
		}
	}
	r.kill(ErrWorkerStopped)
	select {
	case <-r.quiet:
		return nil
	case <-after(r.cfg.KillTimeout):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for d := range r.running {
		still = append(still, d.ID)
	}
	slices.Sort(still)
	return still
}

// after is time.After, for ever if d is negative.
func after(d time.Duration) <-chan time.Time {
	if d < 0 {
		return nil
	}
	return time.After(d)
}

// handBack hands back what nobody has begun, while handlers go on.
func (r *workerRun[T]) handBack() {
	if err := r.c.unload(r.settling); err != nil {
		// Close tries once more, and has the last word.
		r.log.Debug("queue worker could not hand back", "queue", r.c.q.name, "error", err)
	}
}

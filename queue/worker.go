package queue

import (
	"context"
	"errors"
	"sync"

	"github.com/quorate/quorate/etcd"
)

// A Handler works on one job. If it returns nil the job is done; an error has it
// tried again later, or makes it a dead letter when its attempts are used up.
// Permanent, RetryIn and Snooze make errors that say otherwise. A panic is a
// failure like an error.
//
// ctx ends when the claim is lost, when WorkerConfig.Timeout is over, or when the
// worker is stopped the hard way; context.Cause tells which. It does not end
// when the context of Run does: the job may be finished. It has the values of
// that context.
//
// A handler may settle the delivery itself, by AckWith for instance; the worker
// then does no more about it.
type Handler[T any] func(ctx context.Context, d *Delivery[T]) error

// A Worker takes jobs from a queue and has a handler work on them, many at once.
// It is single-use.
type Worker[T any] struct {
	s       *etcd.Session
	q       *Queue[T]
	handler Handler[T]
	cfg     WorkerConfig

	hard     chan struct{} // closed by StopNow
	hardOnce sync.Once

	mu  sync.Mutex
	ran bool
}

// NewWorker makes a worker whose claims hang on the session. It does no I/O:
// what is wrong with cfg is said by Run.
func NewWorker[T any](s *etcd.Session, q *Queue[T], handler Handler[T], cfg WorkerConfig) *Worker[T] {
	return &Worker[T]{s: s, q: q.made(), handler: handler, cfg: cfg, hard: make(chan struct{})}
}

// Causes of the end of a handler's context, for errors.Is; the others are those
// of Delivery.Context.
var (
	// ErrJobTimeout: the job took longer than WorkerConfig.Timeout.
	ErrJobTimeout = errors.New("the job took too long")
	// ErrWorkerStopped: the worker was stopped the hard way.
	ErrWorkerStopped = errors.New("the worker was stopped")
)

// errWorkerRan: Run was called twice.
var errWorkerRan = errors.New("a Worker can run once")

// Run takes jobs and has them worked on until ctx ends, or, with
// WorkerConfig.Drain, until the queue is empty.
//
// When ctx ends, it stops softly: jobs that nobody has begun are handed back at
// once and cost no attempt, and those under way may be finished. After
// WorkerConfig.StopTimeout, or at once by StopNow, it stops the hard way: the
// contexts of the handlers end. What a handler gives up then, by returning an
// error, is handed back as well and costs no attempt. Run returns nil when all
// that was begun is settled.
//
// Handlers that do not return WorkerConfig.KillTimeout after their context ended
// make Run return a *StillRunningError: nobody can end a goroutine from outside.
// Their jobs go to other workers, at one attempt more.
//
// If the consumer comes to its end before ctx does, with its session for
// instance, Run ends the contexts of the handlers and returns the cause.
func (w *Worker[T]) Run(ctx context.Context) error {
	if w == nil || w.hard == nil {
		return unmade.fail("work", errUnmadeWorker)
	}
	return w.q.fail("work", w.run(ctx))
}

// StopNow stops the worker the hard way, whether ctx of Run has ended or not. It
// does not wait; Run returns when all is quiet. It is idempotent.
func (w *Worker[T]) StopNow() {
	if w != nil && w.hard != nil {
		w.hardOnce.Do(func() { close(w.hard) })
	}
}

func (w *Worker[T]) run(ctx context.Context) error {
	w.mu.Lock()
	ran := w.ran
	w.ran = true
	w.mu.Unlock()
	switch {
	case ran:
		return errWorkerRan
	case w.q.bad != nil:
		return w.q.bad
	case w.handler == nil:
		return errors.New("no handler")
	}
	cfg, err := w.cfg.settings()
	if err != nil {
		return err
	}
	c, err := w.q.consumer(w.s, cfg.consumerOptions())
	if err != nil {
		return err
	}
	r := newWorkerRun(ctx, &Consumer[T]{consumer: c, codec: w.q.codec}, w.handler, cfg)
	return r.run(ctx, w.hard)
}

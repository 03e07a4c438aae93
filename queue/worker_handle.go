package queue

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// A Middleware is called for each job instead of the handler, and calls next,
// which is the handler or the next middleware, with ctx or a context made of it.
// It may look at the job, give values to the context, measure, and change the
// error; a panic passes through it as a *PanicError.
type Middleware func(ctx context.Context, j Job, next func(context.Context) error) error

// work has the handler work on d, and settles it.
func (r *workerRun[T]) work(d *Delivery[T]) {
	ctx, cancel := r.handlerContext(d)
	begin := time.Now()
	err := errGoexit // unless the handler returns
	defer func() {
		cause := context.Cause(ctx)
		cancel()
		r.settle(d, err, cause, time.Since(begin))
	}()
	err = sound(r.around(ctx, d, 0))
}

// sound gives an error of a handler as it is, unless it panics when it is asked
// what it is, as a nil pointer of some type may.
func sound(err error) error {
	if err == nil {
		return nil
	}
	if perr := protect("the handler's error", func() error {
		_ = err.Error()
		_ = errors.As(err, new(*ruling))
		return nil
	}); perr != nil {
		return perr
	}
	return err
}

// around calls the middleware from the ith on, and the handler.
func (r *workerRun[T]) around(ctx context.Context, d *Delivery[T], i int) error {
	if i == len(r.cfg.Middleware) {
		return protect("the handler", func() error { return r.handler(ctx, d) })
	}
	return protect("the handler", func() error {
		return r.cfg.Middleware[i](ctx, d.Job, func(ctx context.Context) error { return r.around(ctx, d, i+1) })
	})
}

// protect turns a panic of f, which is whose, into an error.
func protect(whose string, f func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil { // nil: runtime.Goexit
			err = &PanicError{Value: p, Stack: debug.Stack(), whose: whose}
		}
	}()
	err = f()
	returned = true
	return err
}

// handlerContext makes the context of the handler of d.
func (r *workerRun[T]) handlerContext(d *Delivery[T]) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.working)
	claim := d.Context()
	unbind := context.AfterFunc(claim, func() { cancel(context.Cause(claim)) })
	stop := func() bool { return true }
	if r.cfg.Timeout > 0 {
		t := time.AfterFunc(r.cfg.Timeout, func() { cancel(ErrJobTimeout) })
		stop = t.Stop
	}
	return ctx, func() {
		stop()
		unbind()
		cancel(nil)
	}
}

// settle does with d what the handler's error asks for. cause is the end of the
// handler's context, if it had ended.
func (r *workerRun[T]) settle(d *Delivery[T], err error, cause error, took time.Duration) {
	out := Outcome{Job: d.Job, Err: err, Took: took}
	switch {
	case d.d.settledOtherwise():
		out.What = Settled
		r.observe(out)
	case err == nil:
		r.acknowledgeLater(d, out)
	case cause != nil && !errors.Is(cause, ErrJobTimeout): // not the job's fault
		out.What = HandedBack
		r.finish(d, out, func(ctx context.Context) error { return d.Return(ctx) })
	default:
		r.fail(d, out)
	}
}

// fail settles a delivery whose handler failed.
func (r *workerRun[T]) fail(d *Delivery[T], out Outcome) {
	verdict, delay := r.judge(d.Job, out.Err)
	out.What, out.Delay = verdict, delay
	r.log.Info("queue job failed", "queue", r.c.q.name, "job", d.ID, "attempt", d.Attempt, "verdict", verdict.String(), "error", out.Err)
	r.finish(d, out, func(ctx context.Context) error {
		switch verdict {
		case Buried:
			return d.Dead(ctx, out.Err.Error(), Because(out.Err))
		case Snoozed:
			return d.Nack(ctx, delay, WithoutAttempt())
		}
		return d.Nack(ctx, delay, Because(out.Err))
	})
}

// judge says what is to be done about a failure.
func (r *workerRun[T]) judge(j Job, err error) (Verdict, time.Duration) {
	var says *ruling
	asked := errors.As(err, &says)
	switch {
	case asked && says.verdict != Retried:
		return says.verdict, says.delay
	case j.Attempt >= r.cfg.MaxAttempts:
		return Buried, 0
	case asked:
		return Retried, says.delay
	}
	delay := DefaultRetryMax
	if perr := protect("WorkerConfig.Retry", func() error {
		delay = r.cfg.retryIn(j, err)
		return nil
	}); perr != nil {
		r.log.Error("queue worker could not ask how long to wait", "queue", r.c.q.name, "error", perr)
	}
	return Retried, delay
}

// observe tells the user of an outcome.
func (r *workerRun[T]) observe(out Outcome) {
	if r.cfg.Observe == nil {
		return
	}
	if err := protect("WorkerConfig.Observe", func() error {
		r.cfg.Observe(out)
		return nil
	}); err != nil {
		r.log.Error("queue worker could not tell of an outcome", "queue", r.c.q.name, "error", err)
	}
}

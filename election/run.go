package election

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
	"github.com/quorate/quorate/internal/mutant"
)

// A RunOption changes how Run runs.
type RunOption interface{ applyRun(*runOptions) }

type runOptions struct {
	stopped func(*Term, error)
	retry   func(error)
}

type runOption func(*runOptions)

func (f runOption) applyRun(o *runOptions) { f(o) }

// OnStopped has Run call f after every time that its function has led, when that
// function has returned and before others can lead (but for a term that was
// lost), with the term and why it ended: nil if the function returned by itself,
// ErrAsked, the end of Run's context, or the cause of the loss. It is never called for a term
// in which the function was not.
func OnStopped(f func(t *Term, cause error)) RunOption {
	return runOption(func(o *runOptions) { o.stopped = f })
}

// OnRetry has Run call f with the error of every campaign that failed and is
// tried again.
func OnRetry(f func(error)) RunOption {
	return runOption(func(o *runOptions) { o.retry = f })
}

// Run campaigns, calls lead while it leads, and campaigns again when the term
// was lost or handed over, after a pause that grows with failures in a row. The
// context that lead gets ends with ctx, with the term, or when somebody asked
// the leader to hand over (ErrAsked); the cause tells. Run always waits for lead
// to return before it lets go of the leadership, and before it campaigns again;
// where lead panics, the term is resigned.
//
// When lead returns while its context lives, Run resigns and returns lead's
// error. When ctx ends, Run resigns and returns an error that answers errors.Is
// for ctx's error and its cause, and for what lead returned. Other errors are
// those that trying again would not help: etcd refuses, the cluster was wiped,
// the session or the client was closed.
//
// While the session lives Run stands with it. Where the session was lost (expired
// or revoked) Run makes another of the same TTL and margin for itself, and closes
// it in the end.
func (e *Election) Run(ctx context.Context, value []byte, lead func(ctx context.Context, t *Term) error, opts ...RunOption) error {
	r := &runner{e: e, value: value, lead: lead, health: e.monitor()}
	for _, opt := range opts {
		if opt != nil {
			opt.applyRun(&r.o)
		}
	}
	defer r.close(ctx)
	return failed("run", e.show(), r.run(ctx))
}

// A runner is one Run.
type runner struct {
	e     *Election
	own   *etcd.Session // made here; nil at first
	value []byte
	lead  func(context.Context, *Term) error
	o     runOptions
	// health is for one candidate after the other: a check that hangs is not
	// called for the next one.
	health *monitor
	gone   bool // the session's lease is, although the session may not know yet
}

func (r *runner) run(ctx context.Context) error {
	if err := r.e.wrong(); err != nil {
		return err
	}
	if r.lead == nil {
		return errors.New("no function to run")
	}
	var pace line.Pacer
	for {
		began := time.Now()
		t, err := r.campaign(ctx)
		if err == nil {
			var again bool
			if again, err = r.term(ctx, t); !again {
				return err
			}
			if time.Since(began) > steady {
				pace = line.Pacer{}
			}
		} else {
			if ctx.Err() != nil || !r.passes(err) {
				return err
			}
			r.gone = r.gone || leaseGone(err)
			if r.o.retry != nil {
				r.o.retry(err)
			}
		}
		if err := pace.Wait(ctx, ctx); err != nil {
			return err
		}
	}
}

// steady is how long it must have gone well for the next pause to be short.
const steady = 10 * time.Second

// passes reports whether a campaign that failed is worth another.
func (r *runner) passes(err error) bool {
	for _, hopeless := range []error{etcd.ErrSessionClosed, etcd.ErrClosed, etcd.ErrClusterChanged} {
		if errors.Is(err, hopeless) {
			return false
		}
	}
	for _, passing := range []error{
		etcd.ErrSessionExpired, etcd.ErrSessionRevoked, etcd.ErrLeaseNotFound, etcd.ErrNoSpace,
		ErrDeleted, ErrDeposed, line.ErrBroken, ErrUnhealthy,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return line.Transient(err)
}

// leaseGone reports whether err says that the session's lease is gone.
func leaseGone(err error) bool {
	return errors.Is(err, etcd.ErrSessionRevoked) || errors.Is(err, etcd.ErrLeaseNotFound)
}

// campaign campaigns with a session that lives.
func (r *runner) campaign(ctx context.Context) (*Term, error) {
	s := r.e.line.Session()
	if err := s.Err(); r.gone && err == nil || err != nil && r.passes(err) {
		next, err := etcd.NewSession(ctx, s.Client(), etcd.WithTTL(s.TTL()), etcd.WithSafetyMargin(s.SafetyMargin()))
		if err != nil {
			return nil, err
		}
		r.close(ctx)
		r.own, r.e, r.gone = next, r.e.with(next), false
	}
	return r.e.campaign(ctx, r.value, r.health)
}

// term leads once. again says that the term was lost or handed over.
func (r *runner) term(ctx context.Context, t *Term) (again bool, err error) {
	defer r.resign(ctx, t) // also if lead panics
	run, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.Context(), func() { end(context.Cause(t.Context())) })
	defer stop()
	asked := make(chan Candidate, 1)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		if to, err := t.wish(run); err == nil {
			asked <- to
			end(ErrAsked)
		}
	}()
	defer func() { end(nil); <-listening }()
	if mutant.RunHasty {
		defer context.AfterFunc(ctx, func() { r.resign(ctx, t) })()
	}
	err = r.lead(run, t)
	ended := run.Err() != nil
	cause := context.Cause(run)
	end(nil)
	<-listening
	if loss := t.Err(); loss != nil {
		// It may have been noticed by the clock alone.
		ended, cause = true, loss
		r.gone = r.gone || leaseGone(loss)
	}
	if r.o.stopped != nil {
		if !ended {
			cause = nil
		}
		r.o.stopped(t, cause)
	}
	select {
	case to := <-asked:
		if t.Err() == nil {
			tctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
			defer cancel()
			_ = t.Transfer(tctx, to) // or the next in line leads
		}
	default:
	}
	switch {
	case ctx.Err() != nil:
		return false, errors.Join(ctxError(ctx), err)
	case !ended:
		return false, err
	}
	return true, nil
}

// resign lets go of the leadership, whatever has become of it.
func (r *runner) resign(ctx context.Context, t *Term) {
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = t.Resign(rctx) // what it can't remove the session goes on removing
	if t.health != nil {
		<-t.unwatched
	}
}

// close ends the session that was made here.
func (r *runner) close(ctx context.Context) {
	if r.own != nil {
		long := releaseTimeout
		if r.own.Err() != nil {
			long = lostTimeout
		}
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), long)
		defer cancel()
		_ = r.own.Close(cctx) // its lease runs out otherwise
		r.own = nil
	}
}

// lostTimeout bounds the end of a session that was lost: its lease soon runs out,
// whether it is revoked or not.
const lostTimeout = 500 * time.Millisecond

// ctxError is the error of a context and, where it has one of its own, its cause.
func ctxError(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return errors.Join(ctx.Err(), cause)
	}
	return ctx.Err()
}

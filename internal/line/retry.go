package line

import (
	"context"
	"time"

	"github.com/quorate/quorate/internal/pace"
)

// A pacer spaces repeated attempts.
type pacer struct{ retries pace.Retries }

// wait waits before the next attempt. It gives the error of the first of ctx
// and life to end, if one does.
func (p *pacer) wait(ctx, life context.Context) error {
	t := time.NewTimer(p.retries.Next())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return pace.Over(ctx)
	case <-life.Done():
		return context.Cause(life)
	}
}

// both gives a context that ends with ctx or with life, whichever is first, and
// has the cause of that.
func both(ctx, life context.Context) (context.Context, context.CancelCauseFunc) {
	c, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(life, func() { cancel(context.Cause(life)) })
	return c, func(cause error) {
		stop()
		cancel(cause)
	}
}

// A Pacer spaces repeated attempts of others than contenders. The zero Pacer is
// ready.
type Pacer struct{ p pacer }

// Wait waits before the next attempt. It gives the error of the first of ctx
// and life to end, if one does.
func (p *Pacer) Wait(ctx, life context.Context) error { return p.p.wait(ctx, life) }

// Transient reports whether an error of a call may pass by itself.
func Transient(err error) bool { return transient(err) }

package queue

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A pacer spaces repeated attempts.
type pacer struct{ b *backoff.ExponentialBackOff }

// wait waits before the next attempt, or gives ctx's error.
func (p *pacer) wait(ctx context.Context) error {
	if p.b == nil {
		p.b = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(10*time.Millisecond),
			backoff.WithMaxInterval(time.Second),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0.5),
			backoff.WithMaxElapsedTime(0),
		)
	}
	return sleep(ctx, p.b.NextBackOff())
}

// sleep waits for d, or gives ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctxErr(ctx)
	}
}

package pace

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Retries space repeated attempts: after 10 ms at first, about, and a second at
// last. The zero Retries are ready; they are for one goroutine at a time.
type Retries struct{ b *backoff.ExponentialBackOff }

// Wait waits before the next attempt, or gives ctx's error.
func (r *Retries) Wait(ctx context.Context) error { return Sleep(ctx, r.Next()) }

// Next gives how long to wait before the next attempt.
func (r *Retries) Next() time.Duration {
	if r.b == nil {
		r.b = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(10*time.Millisecond),
			backoff.WithMaxInterval(time.Second),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0.5),
			backoff.WithMaxElapsedTime(0),
		)
	}
	return r.b.NextBackOff()
}

// Sleep waits for d, or gives ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return Over(ctx)
	}
}

// Over is the error of a context: its cause where it has one of its own, and
// always its Err as well. It is nil while ctx has not ended.
func Over(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if err == nil || cause == nil || errors.Is(cause, err) {
		return err
	}
	return errors.Join(err, cause)
}

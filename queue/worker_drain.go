package queue

import (
	"context"
	"time"

	"github.com/quorate/quorate/internal/pace"
)

// How often a worker that drains looks whether the queue is empty.
const (
	drainFirst = 20 * time.Millisecond
	drainMost  = time.Second
)

// awaitEmpty waits until the queue is empty and reports false if ctx ended
// before. What is claimed by others may come back, and what is delayed will; so
// there is no event to wait for, and the worker looks.
func (r *workerRun[T]) awaitEmpty(ctx context.Context) bool {
	for wait := drainFirst; ; wait = min(2*wait, drainMost) {
		if r.isIdle() {
			s, err := r.c.q.stats(ctx)
			switch {
			case ctx.Err() != nil:
				return false
			case err != nil:
				r.log.Warn("queue worker could not see whether the queue is empty", "queue", r.c.q.name, "error", err)
			case s.Ready == 0 && s.Claimed == 0 && s.Delayed == 0:
				return true
			}
		} else {
			wait = drainFirst
		}
		if pace.Sleep(ctx, wait) != nil {
			return false
		}
	}
}

// isIdle reports whether nothing is under way or at hand here.
func (r *workerRun[T]) isIdle() bool {
	r.mu.Lock()
	running := len(r.running)
	r.mu.Unlock()
	return running == 0 && r.c.atHand() == 0
}

package queue

import (
	"context"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/pace"
)

// What a Worker does with its consumer beyond what Consumer offers.

// settledOtherwise reports whether somebody has settled d, or its claim is over
// for another reason than a loss.
func (d *delivery) settledOtherwise() bool {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.at != started && d.at != waiting
}

// unload stops the claiming and hands back what Receive has not given out; what
// it has given out stays claimed.
func (c *consumer) unload(ctx context.Context) error {
	c.mu.Lock()
	c.stopping = true
	c.touch()
	c.mu.Unlock()
	both, cancel := c.bind(ctx)
	defer cancel()
	for {
		c.mu.Lock()
		claiming, changed := c.claiming != 0, c.changed
		c.mu.Unlock()
		if !claiming {
			break
		}
		if err := pace.Over(both); err != nil {
			return err
		}
		await(both, changed, time.Time{})
	}
	return c.handBackFrom(both, 0)
}

// handBackFrom hands back what is in the buffer behind the first keep.
func (c *consumer) handBackFrom(ctx context.Context, keep int) error {
	c.mu.Lock()
	if len(c.buf) <= keep {
		c.mu.Unlock()
		return nil
	}
	ds := slices.Clone(c.buf[keep:])
	clear(c.buf[keep:])
	c.buf = c.buf[:keep]
	for _, d := range ds {
		d.at = started
	}
	c.handing++
	c.mu.Unlock()
	return c.handOver(ctx, ds)
}

// setPrefetch changes how much is claimed in advance, and gives how much is at
// hand, and whether somebody waits in Receive.
func (c *consumer) setPrefetch(n int) (left int, wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > c.opts.prefetch {
		c.touch()
	}
	c.opts.prefetch = n
	return len(c.buf), c.asked > 0
}

// atHand tells how many jobs are claimed and not given out.
func (c *consumer) atHand() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.buf)
}

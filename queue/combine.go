package queue

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// A combiner gathers what the goroutines of a process ask for while an earlier
// request of the same sort is under way, and has it carried out together. It
// has no goroutine of its own: one of those who wait drives, and passes that
// on when its own part is done or its context ends.
type combiner[I any] struct {
	// take picks from the waiting items, oldest first, what may travel
	// together; it gives their number, at least one. It may reorder.
	take func(waiting []*part[I]) int
	// ready, if there is one, waits until it is time for a flight to leave; more
	// may come meanwhile.
	ready func(ctx context.Context)
	// fly carries a flight out. Parts that it does not settle wait again, in
	// front: nothing was or will be applied of them. It reports false if ctx
	// ended before; it is then called again for the same flight, by somebody
	// else, unless nobody is left.
	fly func(ctx context.Context, f *flight[I]) bool
	// dropped, if there is one, is told of a flight that nobody is left to carry on:
	// it may have been carried out, or may be later. The combiner's mutex is held.
	dropped func(f *flight[I])

	mu      sync.Mutex
	waiting []*part[I]
	current *flight[I]
	driven  bool
}

// A flight is parts that travel together, and what the last driver left.
type flight[I any] struct {
	parts []*part[I]
	state any // fly's own
}

// A part is what one caller asked for.
type part[I any] struct {
	item I
	err  error // set by fly, with out
	out  bool  // its outcome is known; the driver's alone

	// The combiner's mutex guards these.
	settled bool          // out, and its caller may know
	gone    bool          // its caller has given up
	wake    chan struct{} // its caller's
}

// settle is called by fly: p's outcome is known.
func (p *part[I]) settle(err error) { p.err, p.out = err, true }

// do has item carried out and waits for the outcome. If ctx ends before it is
// known, the error says so, as one of unknown outcome if it may have been sent.
func (c *combiner[I]) do(ctx context.Context, item I) error {
	return c.doAll(ctx, []I{item})[0]
}

// doAll is do for items that are carried out in this order, in one flight or
// several.
func (c *combiner[I]) doAll(ctx context.Context, items []I) []error {
	errs := make([]error, len(items))
	if err := pace.Over(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	own, parts := make([]*part[I], len(items)), make([]part[I], len(items))
	wake := make(chan struct{}, 1)
	for i, item := range items {
		parts[i].item, parts[i].wake = item, wake
		own[i] = &parts[i]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, own...)
	for !settled(own) && ctx.Err() == nil {
		drive := !c.driven
		c.driven = true
		c.mu.Unlock()
		if drive {
			c.drive(ctx, own)
		} else {
			select {
			case <-wake:
			case <-ctx.Done():
			}
		}
		c.mu.Lock()
	}
	for i, p := range own {
		if p.settled {
			errs[i] = p.err
		} else {
			errs[i] = c.leave(p, pace.Over(ctx))
		}
	}
	c.pass() // somebody here may have been woken to drive
	return errs
}

func settled[I any](ps []*part[I]) bool {
	for _, p := range ps {
		if !p.settled {
			return false
		}
	}
	return true
}

// leave takes p out, whose caller has given up. The caller holds the mutex.
func (c *combiner[I]) leave(p *part[I], err error) error {
	p.gone = true
	if i := slices.Index(c.waiting, p); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return err
	}
	return &etcd.Error{Op: "txn", Err: err, Unknown: true}
}

// pass wakes somebody to drive, if nobody does. The caller holds the mutex.
func (c *combiner[I]) pass() {
	if c.driven {
		return
	}
	if c.current != nil {
		for _, p := range c.current.parts {
			if !p.gone && !p.settled {
				p.nudge()
				return
			}
		}
		if c.dropped != nil {
			c.dropped(c.current)
		}
		c.current = nil // nobody waits for it any more
	}
	if len(c.waiting) > 0 {
		c.waiting[0].nudge()
	}
}

func (p *part[I]) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// drive carries out flights until all of own are settled or ctx ends.
func (c *combiner[I]) drive(ctx context.Context, own []*part[I]) {
	pace.Gather(math.MaxInt, func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.waiting)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for !settled(own) && ctx.Err() == nil {
		f := c.current
		if f == nil {
			if c.ready != nil && len(c.waiting) > 0 {
				c.mu.Unlock()
				c.ready(ctx)
				c.mu.Lock()
			}
			if len(c.waiting) == 0 || ctx.Err() != nil {
				break
			}
			n := c.take(c.waiting)
			f = &flight[I]{parts: slices.Clone(c.waiting[:n])}
			c.waiting = slices.Delete(c.waiting, 0, n)
			c.current = f
		}
		c.mu.Unlock()
		arrived := c.fly(ctx, f)
		c.mu.Lock()
		var again []*part[I]
		for _, p := range f.parts {
			switch {
			case p.out:
				p.settled = true
				p.nudge()
			case arrived && !p.gone:
				again = append(again, p)
			}
		}
		if arrived {
			c.current = nil
			c.waiting = append(again, c.waiting...)
		}
	}
	c.driven = false
	c.pass()
}

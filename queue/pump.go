package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// A plan is what to claim next.
type plan struct {
	free    string // a record without an owner; empty: from the head
	spot    spot
	p       int
	suspect bool
	n       int64     // how many jobs
	at      time.Time // not before
}

// pump claims what Receive asks for, and what is to be at hand, until the
// consumer stops.
func (c *consumer) pump() {
	ctx := c.life
	for ctx.Err() == nil {
		c.mu.Lock()
		stopping, changed := c.stopping, c.changed
		pl, ok := c.plan()
		c.mu.Unlock()
		switch {
		case stopping:
			return
		case !ok:
			c.sleep(ctx, changed, time.Time{})
		case time.Now().Before(pl.at):
			c.sleep(ctx, changed, pl.at)
		default:
			c.carryOut(ctx, pl)
		}
	}
}

// sleep waits for a change, for the slot of suspects to become free, or until
// the time is come.
func (c *consumer) sleep(ctx context.Context, changed <-chan struct{}, until time.Time) {
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-changed:
	case <-c.poked:
	case <-timer:
	case <-ctx.Done():
	}
}

// carryOut carries out a plan, and waits a little after a failure.
func (c *consumer) carryOut(ctx context.Context, pl plan) {
	var err error
	if pl.free != "" {
		err = c.claimFree(ctx, pl)
	} else {
		err = c.claimHead(ctx, pl)
	}
	if err == nil {
		c.retries = pace.Retries{}
		return
	}
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, etcd.ErrNoSpace) {
		c.report(full(err))
	} else if !transient(err) {
		c.end(err)
		return
	}
	c.q.log.Debug("queue consumer cannot claim", "queue", c.q.name, "error", err)
	_ = c.retries.Wait(ctx)
}

// demand is how many jobs are to be claimed. What is at hand is filled up again
// when half of it is gone. The caller holds the mutex.
func (c *consumer) demand() int64 {
	if c.asked == 0 && (c.resting || 2*len(c.buf) > c.opts.prefetch) {
		return 0
	}
	return int64(c.asked + c.opts.prefetch - len(c.buf))
}

// plan chooses what to claim next. The caller holds the mutex.
func (c *consumer) plan() (plan, bool) {
	v := &c.view
	want := min(c.demand(), c.limit)
	if want <= 0 || v.paused || !v.listed || c.stopping || len(c.claims) >= maxClaims {
		return plan{}, false
	}
	tail, head := c.q.cursors()
	var ready [levels]int64
	for p := range ready {
		ready[p] = tail.Next[p] - head.Next[p]
	}
	free, suspects := c.freePlans(tail.Sizes, want)
	var levelsWithJobs []int
	for p := MaxPriority; p >= 0; p-- {
		if ready[p] > 0 || free[p] != nil || suspects[p] != nil {
			levelsWithJobs = append(levelsWithJobs, p)
		}
	}
	if len(levelsWithJobs) == 0 {
		return plan{}, false
	}
	p := levelsWithJobs[0]
	if c.opts.weights != nil {
		p = c.draw(levelsWithJobs)
	}
	best := plan{p: p}
	if ready[p] > 0 {
		best.n = tail.Sizes.fit(p, []run{{head.Next[p], tail.Next[p]}}, want)
	}
	base := max(v.base, tail.mod, head.mod)
	best.at = v.baseAt.Add(c.turn(base, (ready[p]+want-1)/want, stepJobs))
	if best.n < want && c.lastGot >= gatherFrom {
		pause := gatherFor * c.lastTook * time.Duration(max(len(v.alive), 1))
		if gathered := c.lastClaim.Add(min(pause, gatherMost)); gathered.After(best.at) {
			best.at = gathered
		}
	}
	ok := ready[p] > 0
	// Records without an owner are older than what is behind the head.
	for _, f := range []*plan{suspects[p], free[p]} {
		if f != nil && (!ok || !f.at.After(best.at) || !f.at.After(time.Now())) {
			best, ok = *f, true
		}
	}
	return best, ok
}

// Where jobs come fast and one by one, claiming each few at once would cost more
// than the jobs: after a claim of at least gatherFrom jobs, and while others win
// the race for the next ones, one that would get less than is asked for waits
// until gatherFor times as long has passed as that one took, for each consumer
// that is alive, so that more come together.
const (
	gatherFrom = 8
	gatherFor  = 4
	gatherMost = 50 * time.Millisecond
)

// maxClaims bounds how many claim records a consumer holds at once: as many as a
// Worker can have handlers, where each has a job that came by itself.
const maxClaims = maxConcurrency

// freePlans finds, per priority, the record without an owner whose turn is next:
// of those that are not suspect, and of the others, of which one can be taken at
// a time. The caller holds the mutex.
func (c *consumer) freePlans(sizes sizes, want int64) (free, suspects [levels]*plan) {
	for key, s := range c.view.free {
		if s.bad {
			continue
		}
		p := s.rec.Priority
		pl := &plan{free: key, spot: s, p: p, n: sizes.fit(p, s.rec.Runs, want), at: s.seen.Add(c.turn(s.rev, 1, stepJobs))}
		at := &free[p]
		if s.rec.Crashes > 0 {
			if !c.suspect.isFree() {
				continue
			}
			pl.suspect, pl.n = true, 1
			at = &suspects[p]
		}
		if *at == nil || pl.at.Before((*at).at) || pl.at.Equal((*at).at) && pl.free < (*at).free {
			*at = pl
		}
	}
	return free, suspects
}

// draw chooses one of the priorities that have jobs by weight.
func (c *consumer) draw(of []int) int {
	weight := func(p int) int {
		if w, ok := c.opts.weights[p]; ok {
			return w
		}
		return 1
	}
	sum := 0
	for _, p := range of {
		sum += weight(p)
	}
	r := rand.IntN(sum)
	i := slices.IndexFunc(of, func(p int) bool { r -= weight(p); return r < 0 })
	return of[i]
}

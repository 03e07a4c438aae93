package queue

import (
	"context"
	"time"
)

// A task is something a consumer does beside claiming.
type task struct {
	name string
	at   time.Time
	do   func(context.Context) error
}

// rest is how long a task rests that has failed.
const rest = time.Second

// An agenda is where the tasks of one sort are offered; it keeps the one to do
// next: the first that is due, or else the one that will be soonest.
type agenda struct {
	c    *consumer
	now  time.Time
	best task
	ok   bool
}

func (a *agenda) offer(name string, at time.Time, do func(context.Context) error) {
	if wait := a.c.notYet[name]; wait.After(at) {
		at = wait
	}
	if !a.ok || at.Before(a.best.at) && a.now.Before(a.best.at) {
		a.best, a.ok = task{name, at, do}, true
	}
}

// care does the tasks that tasks offers, one at a time, until the consumer ends.
// There is one for each sort of tasks, because what a consumer does for all may
// take long, and its own claims are not to wait for it. tasks is called with the
// mutex held.
func (c *consumer) care(tasks func(*agenda)) {
	ctx := c.life
	for ctx.Err() == nil {
		a := agenda{c: c, now: time.Now()}
		c.mu.Lock()
		changed := c.changed
		tasks(&a)
		c.mu.Unlock()
		t := a.best
		if !a.ok || time.Now().Before(t.at) {
			await(ctx, changed, t.at)
			continue
		}
		err := t.do(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			c.mu.Lock()
			delete(c.notYet, t.name)
			c.mu.Unlock()
			continue
		}
		c.q.log.Warn("queue consumer could not do a task", "queue", c.q.name, "task", t.name, "error", err)
		c.mu.Lock()
		c.notYet[t.name] = time.Now().Add(rest)
		c.touch() // Close does not wait for some of what fails
		c.mu.Unlock()
	}
}

// ownTasks are about the consumer's own claims.
func (c *consumer) ownTasks(a *agenda) {
	if len(c.dooms) > 0 {
		a.offer("bury", a.now, c.buryDoomed)
	}
	if len(c.finished) > 0 {
		a.offer("clean", a.now, c.clean)
	}
	if len(c.owed) > 0 {
		a.offer("hand back", a.now, c.payBack)
	}
	for n, kv := range c.records {
		if c.claims[n] == nil && n != c.claiming && !c.ended[n] {
			a.offer("adopt", a.now, func(ctx context.Context) error { return c.adopt(ctx, n, kv) })
			break
		}
	}
	if c.opts.maxAge <= 0 {
		return
	}
	var oldest *claim // of many, perhaps
	var begun time.Time
	for _, cl := range c.claims {
		if since := cl.oldest(); !cl.closing && !since.IsZero() && (oldest == nil || since.Before(begun)) {
			oldest, begun = cl, since
		}
	}
	if oldest != nil {
		a.offer("claim age", begun.Add(c.opts.maxAge), func(ctx context.Context) error { return c.outlived(ctx, oldest) })
	}
	if len(c.buf) > 0 && !c.stopping { // otherwise it is being handed back
		cl := c.buf[0].claim
		a.offer("age at hand", cl.taken.Add(c.opts.maxAge), func(ctx context.Context) error { return c.unreceived(ctx, cl) })
	}
}

// sharedTasks are done by one consumer for all, whose turn it is.
func (c *consumer) sharedTasks(a *agenda) {
	v := &c.view
	if !v.listed {
		return
	}
	if !c.stopping {
		for id, s := range v.gone {
			at := s.seen.Add(c.turn(s.rev, 1, c.step(stepTakeOver)))
			a.offer("take over "+id, at, func(ctx context.Context) error { return c.takeFrom(ctx, id) })
		}
	}
	due := func() {
		if due := v.nextDue; due != never && !c.stopping {
			a.offer("due", time.UnixMilli(due).Add(c.turn(due, 1, c.step(stepPromote))), c.promoteDue)
		}
	}
	if c.dueNext {
		due()
	}
	// Also when stopping: that may take long, and nobody else watches the inbox.
	if i := &v.inbox; i.full() {
		a.offer("inbox", i.put.seen.Add(c.turnOf(watchers, i.put.rev, stepPromote)), c.promoteInbox)
	}
	if !c.dueNext {
		due()
	}
}

// choreTasks come every minute.
func (c *consumer) choreTasks(a *agenda) {
	if !c.view.listed || c.stopping {
		return
	}
	minute := a.now.Unix() / 60
	if c.minute < minute && c.turn(minute, 1, 1) == 0 {
		a.offer("chores", a.now, c.chores)
	}
	a.offer("next chores", time.Unix((minute+1)*60, 0), func(context.Context) error { return nil })
}

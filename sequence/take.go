package sequence

import (
	"context"
	"time"

	"github.com/quorate/quorate/etcd"
)

// take takes numbers, together with whoever else wants some.
func (c *counter) take(ctx context.Context, k *call) (grant, error) {
	lead, err := c.turns.enter(ctx, k)
	if err != nil {
		return grant{}, err
	}
	if !lead {
		return k.got, k.err
	}
	defer c.turns.leave(false)
	f := c.turns.board()
	err = c.fly(ctx, f)
	if err != nil && ended(ctx) {
		c.turns.abandon(f, k)
		return grant{}, err
	}
	c.turns.land(f, err)
	return k.got, k.err
}

// ended reports whether ctx is over. Its deadline counts as soon as it has
// passed: a request can end a moment ahead of ctx's own timer.
func ended(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(d)
}

// fly takes numbers for all in f. An error is everybody's.
func (c *counter) fly(ctx context.Context, f *flight) error {
	for {
		if f.change == nil {
			c.turns.join(f) // an error from here on is theirs, too
			if err := c.ready(ctx); err != nil {
				return again(f.untold, err)
			}
			c.turns.join(f)
			if c.assign(f); f.change == nil {
				if same, err := c.confirm(ctx); same || err != nil {
					return again(f.untold, err)
				}
				continue
			}
		}
		out, err := c.carryOut(ctx, f.change)
		if err != nil {
			return again(f.untold, err)
		}
		if out.verdict == applied {
			for _, k := range f.calls {
				k.got.rev = out.rev
			}
			return nil
		}
		// Too late: others have come before. Where it can't be told whether it
		// was applied, what it took is lost: the one case in which a number is
		// never given out.
		f.change = nil
		f.untold = f.untold || out.verdict == untold
	}
}

// assign gives each call of f its numbers, one after the other, and makes the
// change that takes them; none if there is nothing to take.
func (c *counter) assign(f *flight) {
	s := c.known.state
	base := c.known.mod
	var last *call
	for _, k := range f.calls {
		take := s.take
		if k.upTo {
			take = s.takeUpTo
		}
		before := s
		r, after, err := take(k.n)
		k.got, k.err = grant{r: r, before: before}, again(f.untold, err)
		if err != nil {
			continue
		}
		k.got.base, base = base, 0
		s, last = after, k
	}
	if last != nil {
		last.got.tail = true
		f.change = c.newChange(s)
	}
}

// confirm reports whether what is known of the sequence is still so, and
// otherwise brings it up to date.
func (c *counter) confirm(ctx context.Context) (same bool, err error) {
	mod := c.known.mod
	r, err := c.client.Get(ctx, etcd.Key(c.key))
	if err != nil {
		return false, err
	}
	kv, ok := r.First()
	if !ok {
		return false, c.missing(true)
	}
	return kv.ModRevision == mod, c.adopt(kv, r.Header.Revision)
}

// alone does something that needs commits of its own while it has the turn.
func (c *counter) alone(ctx context.Context, do func() error) error {
	if _, err := c.turns.enter(ctx, newCall(0)); err != nil {
		return err
	}
	defer c.turns.leave(true) // also if do panics
	return do()
}

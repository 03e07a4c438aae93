package sequence

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// A SetOption changes what Set may do.
type SetOption interface{ applySet(*setOptions) }

type setOptions struct{ force bool }

type setOption func(*setOptions)

func (f setOption) applySet(o *setOptions) { f(o) }

// Force lets Set go backwards, so that numbers are given out again, and bring a
// deleted sequence back.
func Force() SetOption { return setOption(func(o *setOptions) { o.force = true }) }

// Set makes n the last number taken, so that the next one is a step further. It
// is for operators: to take over from another source of numbers, or to repair.
//
// n must lie within the bounds; one step before the start stands for a sequence
// of which no number was taken. Going backwards gives an error that answers
// errors.Is for ErrBackwards, unless Force is given. A sequence that does not
// exist is created as by Next, and a deleted one only with Force.
func (s *Sequence) Set(ctx context.Context, n int64, opts ...SetOption) error {
	var o setOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applySet(&o)
		}
	}
	op := fmt.Sprintf("set to %d", n)
	switch {
	case s.wrong() != nil:
		return failed(op, s.name, s.wrong())
	case ctx.Err() != nil:
		return failed(op, s.name, pace.Over(ctx))
	}
	return failed(op, s.name, s.c.alone(ctx, func() error { return s.c.set(ctx, n, o.force) }))
}

func (c *counter) set(ctx context.Context, n int64, force bool) error {
	inDoubt := false
	for {
		err := c.ready(ctx)
		back := errors.Is(err, ErrDeleted) && force
		switch {
		case back:
			r, err := c.client.Get(ctx, etcd.Key(c.key))
			if err != nil {
				return again(inDoubt, err)
			}
			if len(r.KVs) > 0 {
				continue // somebody has brought it back
			}
			// Its configuration went with it: what the caller says counts.
			c.known = known{state: state{cfg: c.opts.cfg}, at: r.Header.Revision}
		case err != nil:
			return again(inDoubt, err)
		}
		now := c.known.state
		to, err := now.set(n)
		switch {
		case err != nil:
			return again(inDoubt, err)
		case !back && to == now:
			return nil
		case !force && !to.ahead(now):
			return again(inDoubt, fmt.Errorf("%w: it is at %s", ErrBackwards, now.where()))
		}
		ch := c.newChange(to)
		if back {
			ch.txn.Then = append(ch.txn.Then[:1:1], etcd.Put(markKey(c.key), encodeMark(c.id)), etcd.Get(etcd.Key(markKey(c.key))))
		}
		out, err := c.carryOut(ctx, ch)
		switch {
		case force && !back && errors.Is(err, ErrDeleted): // which was not known yet
			inDoubt = inDoubt || errors.As(err, new(doubt))
		case err != nil:
			return again(inDoubt, err)
		case out.verdict == applied:
			c.seen = true
			return nil
		case out.verdict == untold:
			inDoubt = true // setting it again is right in any case, but an error must say it
		}
	}
}

// again adds to an error that an earlier attempt may have been applied.
func again(inDoubt bool, err error) error {
	if inDoubt && err != nil {
		return doubt{err}
	}
	return err
}

// set gives the state in which n is the last number taken.
func (s state) set(n int64) (state, error) {
	if n >= s.cfg.Min && n <= s.cfg.Max {
		return s.at(n), nil
	}
	if b, ok := s.cfg.before(); ok && n == b {
		return state{cfg: s.cfg}, nil
	}
	return s, invalid("%d is out of bounds (%v)", n, s.cfg)
}

// ahead reports whether no number that was taken in o is behind s.
func (s state) ahead(o state) bool {
	if !o.used || !s.used {
		return !o.used
	}
	return !s.cfg.beyond(o.last, s.last)
}

// where shows how far it has come, for messages.
func (s state) where() string {
	if !s.used {
		return "its beginning"
	}
	return strconv.FormatInt(s.last, 10)
}

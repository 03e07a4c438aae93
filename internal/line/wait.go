package line

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// Acquire takes a place in each of the lines of wants, all in one commit, and
// waits until nobody in front excludes the entry. All lines must be of one
// session and different. When ctx ends before, the entry leaves the lines
// again, which may take a moment longer, and the error is a *BlockedError that
// says who stood in front.
func Acquire(ctx context.Context, wants ...Want) (*Entry, error) {
	e, err := prepare(ctx, wants)
	if err != nil {
		return nil, err
	}
	bound, unbind := both(ctx, e.life)
	defer unbind(nil)
	switch err = e.enqueue(bound); {
	case err == nil:
		err = e.wait(bound)
	case errors.Is(err, errInherited):
		e.watchWaiting(nil)
		err = nil
	}
	if err == nil {
		err = e.confirm(ctx)
	}
	if err != nil {
		return nil, e.fail(ctx, err)
	}
	if !e.waited {
		e.watchSoon()
	}
	return e, nil
}

// prepare makes an entry that is in no line yet.
func prepare(ctx context.Context, wants []Want) (*Entry, error) {
	if len(wants) == 0 {
		return nil, errors.New("nothing to acquire")
	}
	if len(wants) > maxPlaces {
		return nil, fmt.Errorf("%d at once are more than the %d that fit in one transaction", len(wants), maxPlaces)
	}
	seen := make(map[string]bool, len(wants))
	for _, w := range wants {
		if w.Line.s != wants[0].Line.s {
			return nil, fmt.Errorf("%s and %s are of different sessions", wants[0].Line.what, w.Line.what)
		}
		if seen[w.Line.prefix] {
			return nil, fmt.Errorf("%s is asked for twice", w.Line.what)
		}
		seen[w.Line.prefix] = true
	}
	if err := ctx.Err(); err != nil {
		return nil, pace.Over(ctx)
	}
	if err := wants[0].Line.s.Err(); err != nil {
		return nil, err
	}
	return newEntry(wants), nil
}

// maxPlaces is how many lines can be entered in one transaction: two operations
// a line, within the server's 128.
const maxPlaces = 60

// confirm is the last look before success. An expiry is found by the clock even
// if no timer has told of it yet, as after a pause of the process. And where
// the end of ctx races with success, success is given back: a caller who gave
// up is not left with a lock it does not know of.
func (e *Entry) confirm(ctx context.Context) error {
	if err := e.s.Err(); err != nil {
		return err
	}
	if e.gone.Load() { // its watch saw it, and is asking why
		select {
		case <-e.life.Done():
		case <-e.inherited:
		case <-ctx.Done():
		}
	}
	if err := context.Cause(e.life); err != nil {
		return err
	}
	return pace.Over(ctx)
}

// wait returns when nothing in front excludes the entry in any of its lines. If
// it has to watch, the entry's own keys are watched, too.
func (e *Entry) wait(ctx context.Context) error {
	if err := e.waitAll(ctx); err != nil {
		return err
	}
	for i := range e.places {
		e.standFirst(&e.places[i])
	}
	return e.beginAll(ctx)
}

// waitAll waits in all lines at once: whoever stands behind the entry for permits
// has to hear of it as soon as there is room for both (see judgePermits), however
// long the entry waits elsewhere.
//
// Waits in several lines make no deadlock: whoever stands in several of them
// entered them in one commit, so any two stand in the same order everywhere they
// meet.
func (e *Entry) waitAll(ctx context.Context) error {
	var excluded []*place
	for i := range e.places {
		p := &e.places[i]
		switch v := p.Line.judge(p.Rule, &p.view); {
		case v.err != nil:
			return v.err
		case !v.in:
			excluded = append(excluded, p)
		}
	}
	if len(excluded) == 0 {
		return nil
	}
	e.watchWaiting(excluded[0])
	if len(excluded) == 1 {
		return e.waitOr(ctx, excluded[0])
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range excluded {
		g.Go(func() error { return e.waitIn(ctx, p) })
	}
	return g.Wait()
}

// watchWaiting starts watching the entry's keys when it begins to wait. Where
// the wait is in p, whoever waits there looks for what happened to that key
// before it was watched.
func (e *Entry) watchWaiting(p *place) {
	if e.waited {
		return
	}
	e.waited = true
	if p != nil {
		p.Line.waits()
		if !p.Rule.Handover { // there is more to see in a key than that it is there
			p.told = make(chan int64, 1)
		}
	}
	e.watchNow()
}

// unwatched is the revision of a look that would show whatever the watch of the
// entry's key does not.
func (p *place) unwatched(ctx context.Context) (int64, error) {
	if p.told == nil {
		return 0, nil
	}
	select {
	case rev := <-p.told:
		p.told = nil
		if mutant.LockUnwatched {
			rev = 0
		}
		return rev, nil
	case <-ctx.Done():
		return 0, pace.Over(ctx)
	}
}

// waitIn waits in one line.
//
// A watch is made live before the line is read again, so that whoever leaves
// after the read is seen leaving, and it never starts in the past, which the
// server would serve late. From there on the view is kept by events alone. The
// read also shows the entry's own key. It is left out where the watches were
// there before the view was as it is.
func (e *Entry) waitIn(ctx context.Context, p *place) error {
	var (
		pace pacer
		s    *sight
	)
	drop := func() {
		p.Line.keepSight(s)
		s = nil
	}
	defer func() { drop() }()
	for {
		v := p.Line.judge(p.Rule, &p.view)
		switch {
		case v.err != nil:
			return v.err
		case v.in && p.told == nil:
			return e.admitted(ctx, p)
		case v.look:
			if err := e.look(ctx, p, &pace); err != nil {
				return err
			}
			continue
		case v.in: // without a watch of its own key so far
			rev, err := p.unwatched(ctx)
			if err == nil && rev > p.view.rev {
				err = e.look(ctx, p, &pace)
			}
			if err != nil {
				return err
			}
			continue
		case s == nil || s.w.KeySet() != v.watch:
			drop()
			var err error
			if s, err = p.Line.lookOut(ctx, v.watch, p.view.rev); err != nil {
				if err = e.retry(ctx, err, &pace); err != nil {
					return err
				}
				continue
			}
			rev, err := p.unwatched(ctx)
			if err == nil && max(rev, s.seen) > p.view.rev && !mutant.LockBlindStart {
				err = e.look(ctx, p, &pace)
			}
			if err != nil {
				return err
			}
			continue
		}
		evs, err := e.hear(ctx, p, v, s)
		if errors.Is(err, errUnheard) {
			if err = e.glance(ctx, p, &pace); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, etcd.ErrCompacted) {
			drop() // what it missed, the next look shows
			p.view = view{}
			continue
		}
		if err != nil {
			return err
		}
		for _, ev := range evs {
			if !p.Line.apply(p.Rule, &p.view, v, ev) {
				p.view = view{}
				break
			}
		}
	}
}

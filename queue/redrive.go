package queue

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
)

// redrivePage is how many dead letters are sent off together.
const redrivePage = 200

// maxTold is how many errors of single jobs a call tells.
const maxTold = 10

// redrive moves dead letters to the tail.
func (q *core) redrive(ctx context.Context, which []Selection) (int, error) {
	sel, err := selecting(which)
	if err != nil {
		return 0, err
	}
	var page []*unit
	var told []error
	done := 0
	send := func() error {
		for _, err := range q.out.doAll(ctx, page) {
			switch {
			case err == nil:
				done++
			case errors.Is(err, errMoved): // somebody else moved it, or removed it
			case errors.Is(err, ErrDuplicate):
				if len(told) < maxTold {
					told = append(told, err)
				}
			default:
				return err
			}
		}
		page = page[:0]
		return nil
	}
	err = q.selected(ctx, Dead, sel, func(j Job) error {
		if page = append(page, q.revival(j)); len(page) < redrivePage {
			return nil
		}
		return send()
	})
	if err == nil {
		err = send()
	}
	if err != nil {
		told = append(told, err)
	}
	return done, errors.Join(told...)
}

// revival makes the unit that moves a dead letter to the tail, with no attempts
// behind it and no end of its time. Its unique key is taken again, unless that
// is one of a window, which is over or still its own.
func (q *core) revival(j Job) *unit {
	e := *j.env
	e.Attempts, e.Due, e.Expires = 0, 0, 0
	e.Reason, e.DiedBy, e.Died = "", "", 0
	kv := etcd.KV{Key: j.key, ModRevision: j.mod}
	u := q.moving(kv, &e, true)
	u.claims = e.Unique != "" && e.UniqueUntil == 0
	u.measure()
	return u
}

// selected calls f for each job in a state that is selected, until it fails.
func (q *core) selected(ctx context.Context, state State, sel selector, f func(Job) error) error {
	if q.bad != nil {
		return q.bad
	}
	if sel.byID {
		for _, id := range sel.ids {
			j, err := q.get(ctx, id)
			if errors.Is(err, ErrNotFound) || err == nil && (j.State != state || !sel.takes(&j)) {
				continue
			}
			if err == nil {
				err = f(j)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for j, err := range q.list(ctx, state) {
		if errors.Is(err, ErrDamaged) && j.ID == "" && ctx.Err() == nil {
			continue // what cannot be read is left alone
		}
		if err != nil {
			return err
		}
		if state == Dead && !sel.before.IsZero() && !j.DiedAt.Before(sel.before) {
			return nil // they are in the order of their deaths
		}
		if sel.takes(&j) {
			if err := f(j); err != nil {
				return err
			}
		}
	}
	return nil
}

package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// cleanUp bounds how long a failed or cancelled wait goes on to take its keys
// out of the line before it leaves that to the session's janitor.
const cleanUp = 2 * time.Second

// fail takes an entry out of its lines that is not to be, and completes err,
// the reason. The caller must not wait long for that: what can't be done in
// time is left to the session's janitor.
func (e *Entry) fail(ctx context.Context, err error) error {
	err = e.reason(ctx, err)
	e.end(e.ownEnd())
	e.quiet()
	if e.rev == 0 && !e.suspect {
		e.freeKeys() // nothing was created
		return err
	}
	var by []Member
	if e.s.Err() == nil && !mutant.LockStays { // otherwise the keys go with the lease
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
		defer cancel()
		var removed bool
		var rerr error
		if removed, by, rerr = e.withdraw(cctx); rerr == nil && !removed {
			rerr = e.withdrawInherited(cctx)
		}
		if rerr != nil {
			e.abandon()
		}
	}
	if len(by) == 0 {
		for i := range e.places {
			by = append(by, e.places[i].view.front...)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if e.sitting {
			err = fmt.Errorf("%w: %w", err, ErrQuarantine)
		}
		return &BlockedError{By: by, Err: err}
	}
	return err
}

// reason chooses what to tell of err: the end of the caller's context as
// itself, the end of the entry's life as its cause.
func (e *Entry) reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if errors.Is(err, ctx.Err()) {
			return pace.Over(ctx)
		}
		return errors.Join(pace.Over(ctx), err)
	}
	if cause := context.Cause(e.life); cause != nil {
		return cause
	}
	if errors.Is(err, etcd.ErrLeaseNotFound) { // the session has not heard of it yet
		return fmt.Errorf("%w: %w", etcd.ErrSessionRevoked, err)
	}
	return err
}

// withdraw is remove for an entry that never held. It reports whether the keys
// were there and it was it that removed them, and who stands first in each line.
func (e *Entry) withdraw(ctx context.Context) (removed bool, by []Member, err error) {
	look := func(p *place) []etcd.Op {
		return []etcd.Op{etcd.Get(p.Line.set(), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending), etcd.WithLimit(3))}
	}
	t := e.removal(look)
	var pace pacer
	for {
		res, err := e.s.Client().Txn(ctx, t)
		if err == nil {
			if e.learn(res) {
				t = e.removal(look)
				continue
			}
			removed = e.allSucceeded(res)
			e.afterRemoval(removed)
			return removed, e.firsts(res), nil
		}
		if !transient(err) || ctx.Err() != nil || e.s.Err() != nil {
			return false, nil, err
		}
		if werr := pace.wait(ctx, e.s.Context()); werr != nil {
			return false, nil, errors.Join(werr, err)
		}
	}
}

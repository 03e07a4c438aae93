package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
)

// cleanUp bounds how long a failed or cancelled wait goes on to take its keys
// out of the line before it leaves that to the session's janitor.
const cleanUp = 2 * time.Second

// Release takes the entry out of its lines. It is idempotent, and of several
// callers one does it and the others wait.
//
// The entry's context ends first. Then nil means that it is gone from the line.
// Where ctx or the session ended, or etcd refused, before that was certain, the
// session's janitor goes on trying, and Release can be called again. If the
// entry had lost its place before, the error is the cause of that.
func (e *Entry) Release(ctx context.Context) error {
	loss := e.Err()
	if errors.Is(loss, ErrReleased) {
		loss = nil
	} else if loss != nil && context.Cause(e.life) == nil && e.s.Err() == nil {
		<-e.life.Done() // the cause is being asked for
		loss = context.Cause(e.life)
	}
	e.end(ErrReleased)
	defer e.quiet()
	select {
	case e.leaving <- struct{}{}:
	case <-ctx.Done():
		return ctxErr(ctx) // another caller is at it
	}
	defer func() { <-e.leaving }()
	if e.left {
		return e.verdict
	}
	if loss != nil && e.verdict == nil {
		e.verdict = loss
	}
	there, err := e.remove(ctx)
	switch {
	case err == nil:
		e.left = true
		if !there && e.verdict == nil {
			e.verdict = ErrDeleted
		}
		return e.verdict
	case e.s.Err() != nil:
		// The keys go with the lease. What there was to say is the loss.
		if e.verdict == nil {
			e.verdict = e.s.Err()
		}
		e.left = true
		return e.verdict
	}
	e.abandon()
	return err
}

// fail takes an entry out of its lines that is not to be, and completes err,
// the reason. The caller must not wait long for that: what can't be done in
// time is left to the session's janitor.
func (e *Entry) fail(ctx context.Context, err error) error {
	err = e.reason(ctx, err)
	e.end(ErrReleased)
	e.quiet()
	if e.rev == 0 && !e.suspect {
		e.freeKeys() // nothing was created
		return err
	}
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	by, rerr := e.withdraw(cctx)
	if rerr != nil {
		e.abandon()
	}
	if len(by) == 0 {
		for i := range e.places {
			by = append(by, e.places[i].view.front...)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &BlockedError{By: by, Err: err}
	}
	return err
}

// reason chooses what to tell of err: the end of the caller's context as
// itself, the end of the entry's life as its cause.
func (e *Entry) reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if errors.Is(err, ctx.Err()) {
			return ctxErr(ctx)
		}
		return errors.Join(ctxErr(ctx), err)
	}
	if cause := context.Cause(e.life); cause != nil {
		return cause
	}
	return err
}

// remove deletes the entry's keys if they are as it created them, and repeats
// that until the outcome is known. It reports whether all of them were still
// there, or may have been.
//
// It consists of deletions alone, so it passes when the server has no space
// left.
func (e *Entry) remove(ctx context.Context) (there bool, err error) {
	t := e.removal(nil)
	unknown := false
	var pace pacer
	for {
		res, err := e.s.Client().Txn(ctx, t)
		if err == nil {
			e.afterRemoval()
			return unknown || e.allSucceeded(res), nil
		}
		unknown = unknown || errors.Is(err, etcd.ErrUnknownOutcome)
		if !transient(err) || ctx.Err() != nil || e.s.Err() != nil {
			return unknown, err
		}
		if werr := pace.wait(ctx, e.s.Context()); werr != nil {
			return unknown, errors.Join(werr, err)
		}
	}
}

// withdraw is remove for an entry that never held. It also reads who stands
// first in each line.
func (e *Entry) withdraw(ctx context.Context) (by []Member, err error) {
	t := e.removal(func(p *place) []etcd.Op {
		return []etcd.Op{etcd.Get(p.Line.set(), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending), etcd.WithLimit(2))}
	})
	var pace pacer
	for {
		res, err := e.s.Client().Txn(ctx, t)
		if err == nil {
			e.afterRemoval()
			return e.firsts(res), nil
		}
		if !transient(err) || ctx.Err() != nil || e.s.Err() != nil {
			return nil, err
		}
		if werr := pace.wait(ctx, e.s.Context()); werr != nil {
			return nil, errors.Join(werr, err)
		}
	}
}

// removal makes the transaction that deletes the entry's keys, each by itself:
// that one is gone does not keep the others. Reads of extra stand before.
func (e *Entry) removal(extra func(*place) []etcd.Op) etcd.Txn {
	one := func(p *place) etcd.Txn {
		t := etcd.Txn{If: []etcd.Cmp{p.guard(e.rev)}}
		if e.rev == 0 {
			// Its creation had no answer. The nonce makes the key its own.
			t.If[0] = etcd.IfLease(etcd.Key(p.key), etcd.Equal, e.s.Lease())
		}
		if extra != nil {
			t.Then = extra(p)
		}
		t.Then = append(t.Then, etcd.Delete(etcd.Key(p.key)))
		return t
	}
	if len(e.places) == 1 {
		return one(&e.places[0])
	}
	var all etcd.Txn
	for i := range e.places {
		all.Then = append(all.Then, etcd.Nest(one(&e.places[i])))
	}
	return all
}

func (e *Entry) each(res *etcd.TxnResult) []*etcd.TxnResult {
	if len(e.places) == 1 {
		return []*etcd.TxnResult{res}
	}
	rs := make([]*etcd.TxnResult, len(res.Results))
	for i := range res.Results {
		rs[i] = res.Results[i].Txn
	}
	return rs
}

func (e *Entry) allSucceeded(res *etcd.TxnResult) bool {
	for _, r := range e.each(res) {
		if !r.Succeeded {
			return false
		}
	}
	return true
}

// firsts gives the first of each line, but for the entry itself.
func (e *Entry) firsts(res *etcd.TxnResult) []Member {
	var by []Member
	for i, r := range e.each(res) {
		if !r.Succeeded || len(r.Results) == 0 || r.Results[0].Get == nil {
			continue
		}
		for _, kv := range r.Results[0].Get.KVs {
			if p := &e.places[i]; p.Line.isContender(kv.Key) && (e.rev == 0 || kv.CreateRevision < e.rev) {
				by = append(by, member(kv))
				break
			}
		}
	}
	return by
}

// afterRemoval is called when the keys are gone for certain. Those that no late
// attempt can bring back are free to be used again.
func (e *Entry) afterRemoval() {
	if e.suspect {
		e.abandon()
		return
	}
	e.freeKeys()
}

func (e *Entry) freeKeys() {
	for i := range e.places {
		e.places[i].Line.giveKey(e.places[i].key)
	}
}

// abandon leaves the keys to the session's janitor.
func (e *Entry) abandon() {
	for i := range e.places {
		e.s.Abandon(e.places[i].key, nil)
	}
}

// blocked says who excludes the entry of a try.
func blocked(by []Member) error { return &BlockedError{By: by, Err: ErrHeld} }

func (e *Entry) String() string { return fmt.Sprintf("%s (token %d)", e.what, e.rev) }

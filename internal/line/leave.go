package line

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// Release takes the entry out of its lines. It is idempotent, and of several
// callers one does it and the others wait.
//
// The entry's context ends first. Then nil means that it is gone from the line.
// If the entry had lost its place before, the error is the cause of that, and
// Loss says so. Where ctx ended or etcd refused before the keys were gone for
// certain, the session's janitor goes on trying, and Release can be called
// again.
func (e *Entry) Release(ctx context.Context) error {
	loss := e.Err()
	if e.gone.Load() { // its watch saw it, and is asking why
		select {
		case <-e.life.Done():
		case <-ctx.Done():
		}
		loss = e.Err()
	}
	e.note(loss)
	e.end(e.ownEnd())
	defer e.quiet()
	select {
	case e.leaving <- struct{}{}:
	default: // another caller is at it
		select {
		case e.leaving <- struct{}{}:
		case <-ctx.Done():
			return pace.Over(ctx)
		}
	}
	defer func() { <-e.leaving }()
	if e.left {
		return e.Loss()
	}
	if e.s.Err() != nil { // the keys go with the lease
		e.left = true
		return e.Loss()
	}
	there, why, err := e.remove(ctx)
	if err != nil {
		e.unsure = true
		e.abandon()
		return err
	}
	e.left = true
	if !there && !e.unsure {
		e.note(why)
	}
	return e.Loss()
}

// ownEnd is the cause of the end of an entry that leaves by itself.
func (e *Entry) ownEnd() error {
	if e.places[0].Rule.Kind == Candidate {
		return ErrResigned
	}
	return ErrReleased
}

// Quit ends the entry's context with cause although its keys are still there,
// until it is released.
func (e *Entry) Quit(cause error) { e.end(cause) }

// Loss is why the entry had lost its place before it was released; nil if it
// had not.
func (e *Entry) Loss() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.loss
}

// note keeps the cause of a loss that Release found, the first of them.
func (e *Entry) note(err error) {
	if err == nil || errors.Is(err, e.ownEnd()) || errors.Is(err, ErrHandedOver) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loss == nil {
		e.loss = err
	}
}

// remove deletes the entry's keys if they are as it created them, and repeats
// that until the outcome is known. It reports whether all of them were still
// there, or may have been, and if not, why.
//
// Where the server has no space left it consists of deletions alone, which
// pass.
func (e *Entry) remove(ctx context.Context) (there bool, why, err error) {
	t := e.removal(e.farewell)
	short := e.shorten(&t)
	unknown := false
	var pace pacer
	for {
		res, err := e.s.Client().Txn(ctx, t)
		if err == nil {
			if short && !res.Succeeded {
				// Somebody has changed the key, or it is not the entry's.
				short, t = false, e.removal(e.farewell)
				continue
			}
			e.afterRemoval(e.allSucceeded(res))
			return unknown || e.allSucceeded(res), e.vanished(res), nil
		}
		unknown = unknown || errors.Is(err, etcd.ErrUnknownOutcome)
		if errors.Is(err, etcd.ErrNoSpace) && e.waited {
			e.waited = false // without a farewell it passes
			t = e.removal(nil)
			short = short && e.shorten(&t)
			continue
		}
		if !transient(err) || ctx.Err() != nil || e.s.Err() != nil {
			return unknown, nil, err
		}
		if werr := pace.wait(ctx, e.s.Context()); werr != nil {
			return unknown, nil, errors.Join(werr, err)
		}
	}
}

// farewell makes what a holder that had to wait puts into its key in the commit
// that deletes it. Whoever watches sees the put and the deletion, and knows that
// this was the holder and not somebody who gave up waiting: so nobody is left in
// front, and no read is needed to make sure. Behind a holder that did not wait
// everybody knows that already; of those who share it says nothing.
func (e *Entry) farewell(p *place) []etcd.Op {
	if !e.waited || !p.Rule.exclusive() || p.Rule.Raw {
		return nil
	}
	return []etcd.Op{etcd.Put(e.hold(p).key, Note{Kind: p.Rule.Kind, Released: true}.encode())}
}

// removal makes the transaction that deletes the entry's keys, each by itself:
// that one is gone does not keep the others. What before gives stands
// before the deletion.
func (e *Entry) removal(before func(*place) []etcd.Op) etcd.Txn {
	one := func(p *place) etcd.Txn {
		key := etcd.Key(e.hold(p).key)
		t := etcd.Txn{If: []etcd.Cmp{e.own(p)}}
		switch {
		case p.Rule.Handover:
			t.Else = []etcd.Op{etcd.Get(key)} // to see what has become of it
			if e.stood() == 0 {
				t.If = e.asKnown(p)
			}
		case e.rev == 0:
			// Its creation had no answer. The nonce makes the key its own.
			t.If[0] = etcd.IfLease(key, etcd.Equal, e.s.Lease())
		}
		if mutant.LockLooseRelease {
			t.If = nil
		}
		var first []etcd.Op
		if before != nil {
			first = before(p)
		}
		t.Then = []etcd.Op{etcd.Delete(key)}
		if len(first) > 0 {
			// In the list of the deletion itself a put of the key would be
			// refused; beside it, it is not.
			t.Then = []etcd.Op{etcd.Nest(etcd.Txn{Then: first}), etcd.Nest(etcd.Txn{Then: t.Then})}
		}
		t.Then = append(t.Then, p.retire()...)
		t.Then = append(t.Then, e.retireHandover(p)...)
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

// firsts gives the first of each line, unless that is the entry itself.
func (e *Entry) firsts(res *etcd.TxnResult) []Member {
	var by []Member
	for i, r := range e.each(res) {
		if !r.Succeeded {
			continue
		}
		p := &e.places[i]
		for _, kv := range r.Results[0].Txn.Results[0].Get.KVs {
			if !p.Line.isContender(kv.Key) {
				continue
			}
			if kv.Key != e.hold(p).key {
				by = append(by, p.Rule.member(kv))
			}
			break
		}
	}
	return by
}

// afterRemoval is called when the keys are gone for certain, or are another's;
// removed says that it was the entry that removed them. Those that no late
// attempt can bring back, and that the janitor does not look for, are free to be
// used again; so is not what was handed to another, nor what a tenure that is
// still there tells of.
func (e *Entry) afterRemoval(removed bool) {
	if e.suspect && !mutant.LockForgetsLate {
		e.abandon()
	}
	keep := !removed && e.remembered() && !mutant.TermKeepsKey
	if !e.suspect && !e.unsure && !keep || mutant.LockReusesKeys {
		e.freeKeys()
	}
}

// remembered reports whether others may know the entry by its key also when that
// is gone.
func (e *Entry) remembered() bool {
	for i := range e.places {
		if p := &e.places[i]; p.Rule.Handover || p.tenure != nil {
			return true
		}
	}
	return false
}

func (e *Entry) freeKeys() {
	if e.bequest.Load() != nil {
		return // what it inherited was made by somebody else
	}
	for i := range e.places {
		e.places[i].Line.giveKey(e.places[i].key)
	}
}

// abandon leaves the keys to the session's janitor.
func (e *Entry) abandon() {
	for i := range e.places {
		p := &e.places[i]
		if p.Rule.Handover {
			e.abandonHandover(p)
			continue
		}
		e.s.Abandon(p.key, nil)
	}
}

// blocked says who excludes the entry of a try.
func blocked(by []Member) error { return &BlockedError{By: by, Err: ErrHeld} }

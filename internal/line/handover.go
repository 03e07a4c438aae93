package line

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// Why a contender that stood first is so no longer, for errors.Is.
var (
	// ErrHandedOver: it handed its place to another.
	ErrHandedOver = errors.New("handed over")
	// ErrDeposed: somebody else gave its place to another.
	ErrDeposed = errors.New("handed over by somebody else")
)

// Is reports whether m is the entry, which is in a single line, as it stands there
// now.
func (e *Entry) Is(m Member) bool {
	own := e.hold(&e.places[0])
	return m.Key == own.key && m.Token == own.rev
}

// Handover hands the place of the entry, which stands first, to another
// contender of the line, in one commit. The entry's context ends before that is
// sent, with ErrHandedOver.
//
// Nil means that it was done. If it was not, or that is not known for certain,
// the entry is released as by Release, so that nobody is kept from being first;
// the error is then ErrNoSuchContender if the heir is not there any more, the
// cause of the loss if the entry had lost its place, or what went wrong.
func (e *Entry) Handover(ctx context.Context, to Member) error {
	if err := e.Err(); err != nil {
		return err
	}
	select {
	case e.leaving <- struct{}{}:
	case <-ctx.Done():
		return pace.Over(ctx)
	}
	if e.left || e.life.Err() != nil {
		<-e.leaving
		return context.Cause(e.life)
	}
	if !mutant.TermOverstays {
		e.end(ErrHandedOver)
	}
	err := e.handOver(ctx, to)
	e.end(ErrHandedOver)
	if err == nil {
		p := &e.places[0]
		if e.suspect && e.bequest.Load() == nil {
			// A late attempt may still create the key, as it was at first.
			e.s.Abandon(p.key, p.value)
		}
		e.left = true
		<-e.leaving
		e.quiet()
		return nil
	}
	<-e.leaving
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	if rerr := e.Release(rctx); rerr != nil && !errors.Is(err, rerr) {
		err = errors.Join(err, rerr)
	}
	return err
}

// handOver repeats the commit until its outcome is known.
func (e *Entry) handOver(ctx context.Context, to Member) error {
	p := &e.places[0]
	own := e.hold(p)
	t, heir, err := handoverTxn(p.Line, own.key, own.rev, to, e.own(p))
	if err != nil {
		return err
	}
	var pace pacer
	var unknown error
	for {
		res, err := e.s.Client().Txn(ctx, t)
		if err == nil {
			done, err := handedOver(res, own, heir, e.s.Lease())
			switch {
			case done:
				return nil
			case unknown != nil && (errors.Is(err, ErrDeposed) || errors.Is(err, ErrDeleted)):
				return unknown // it may be the heir's doing
			}
			return err
		}
		if errors.Is(err, etcd.ErrLeaseNotFound) {
			return stillUnknown(own.key, ErrNoSuchContender, unknown) // the heir's
		}
		if errors.Is(err, etcd.ErrUnknownOutcome) {
			unknown = err
		}
		if !transient(err) || ctx.Err() != nil || e.s.Err() != nil {
			return stillUnknown(own.key, err, unknown)
		}
		if werr := pace.wait(ctx, e.s.Context()); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// CanLead reports whether a place can be handed to m: it is a candidate that this
// package, or one like it, has put there, and it goes with its lease.
func (m Member) CanLead() bool { return !m.Foreign && m.Kind == Candidate && m.Lease != 0 }

// handoverTxn makes the commit that hands key, the first of the line as mine
// says, to a contender.
func handoverTxn(l *Line, key string, created int64, to Member, mine etcd.Cmp) (etcd.Txn, Heir, error) {
	heir := Heir{to.Key, to.Token}
	if !to.CanLead() {
		return etcd.Txn{}, heir, l.mismatch(to.Key, "it is no candidate of this module")
	}
	value, err := json.Marshal(handover{Key: key, Created: created, Heir: heir})
	if err != nil {
		return etcd.Txn{}, heir, err
	}
	theirs := etcd.Key(to.Key)
	return etcd.Txn{
		If: []etcd.Cmp{
			mine,
			etcd.IfCreateRevision(theirs, etcd.Equal, to.Token),
			etcd.IfModRevision(theirs, etcd.Equal, to.Changed),
			etcd.IfLease(theirs, etcd.Equal, to.Lease),
		},
		Then: []etcd.Op{
			etcd.Put(key, to.amended(map[string]any{"heir": heir, "asked": nil}), etcd.WithLease(to.Lease)),
			etcd.Put(l.handoverKey(), value, etcd.WithLease(to.Lease)),
			etcd.Delete(theirs),
		},
		Else: []etcd.Op{etcd.Get(etcd.Key(key)), etcd.Get(theirs)},
	}, heir, nil
}

// handedOver says what came of a handoverTxn by which own was to be handed over:
// done; or not done, and why.
func handedOver(res *etcd.TxnResult, own hold, heir Heir, lease etcd.LeaseID) (bool, error) {
	if res.Succeeded {
		return true, nil
	}
	kv, ok := res.Results[0].Get.First()
	if !ok || kv.CreateRevision != own.rev {
		return false, fmt.Errorf("key %.200q: %w", own.key, ErrDeleted)
	}
	m := member(kv)
	switch {
	case m.Heir != nil && *m.Heir == heir:
		return true, nil // by an attempt without an answer
	case m.Lease != lease || !sameHeir(m.Heir, own.heir):
		return false, ErrDeposed // perhaps to the heir, which has handed on
	}
	return false, ErrNoSuchContender // it is not there, or not as it was
}

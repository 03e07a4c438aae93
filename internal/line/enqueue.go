package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// enqueue puts the entry into its lines, all in one commit, and reads who
// stands in front in the same commit. On an error nothing of it is in a line,
// or what may be is suspect.
func (e *Entry) enqueue(ctx context.Context) error {
	var pace pacer
	if entered, err := e.enqueueAlone(ctx, &pace); entered || err != nil {
		return err
	}
	t := etcd.Txn{}
	for i := range e.places {
		p := &e.places[i]
		t.If = append(t.If, etcd.Missing(etcd.Key(p.key)))
		t.If = append(t.If, p.agreed()...)
		// The read first, so that it does not show the entry's own key.
		t.Then = append(t.Then, p.readFront(), etcd.Put(p.key, p.value, etcd.WithLease(e.s.Lease())))
		p.slot = len(t.Else)
		t.Else = append(t.Else, etcd.Get(etcd.Key(p.key)))
		if p.Rule.settings() != nil {
			t.Else = append(t.Else, etcd.Get(etcd.Key(p.Line.settingsKey())))
		}
	}
	for {
		res, err := e.create(ctx, t, &pace)
		if err != nil {
			return err
		}
		if res.Succeeded {
			e.rev = res.Header.Revision
			for i := range e.places {
				p := &e.places[i]
				p.view = p.readView(res.Results[2*i].Get, e.rev)
				p.view.rev = e.rev // one commit
				if p.alone() {
					p.Line.calm.Add(1)
				} else {
					p.Line.calm.Store(0)
				}
			}
			return nil
		}
		if adopted, err := e.adopt(res); adopted || err != nil {
			return err // the views stay empty: the first thing is a look
		}
		if e.suspect && e.places[0].Rule.Handover {
			if t, err = e.unlessInherited(ctx, t, &pace); err != nil {
				return err
			}
			continue
		}
		again := false
		for i := range e.places {
			p := &e.places[i]
			if p.Rule.settings() == nil {
				continue
			}
			created, err := p.agree(ctx, e.life, res.Results[p.slot+1].Get)
			if err != nil {
				return err
			}
			again = again || created
		}
		if !again {
			return fmt.Errorf("%w: the server refused to create key %.200q and does not show why", etcd.ErrBadReply, e.places[0].key)
		}
	}
}

// calmAfter is how many in a row must have found a line empty for the next one to
// count on it.
const calmAfter = 4

// enqueueAlone puts the entry into its lines if nobody stands there, and nothing
// else. Where that has been so for a while it is likely to be so again, and there
// is less to say and to read; otherwise it is a request for nothing. It reports
// whether it did.
func (e *Entry) enqueueAlone(ctx context.Context, pace *pacer) (bool, error) {
	var t etcd.Txn
	for i := range e.places {
		p := &e.places[i]
		if p.Line.calm.Load() < calmAfter || !p.Rule.exclusive() || p.Rule.settings() != nil {
			return false, nil
		}
		t.If = append(t.If, etcd.Missing(p.Line.set()))
		t.Then = append(t.Then, etcd.Put(p.key, p.value, etcd.WithLease(e.s.Lease())))
	}
	res, err := e.create(ctx, t, pace)
	if err != nil {
		return false, err
	}
	for i := range e.places {
		p := &e.places[i]
		if res.Succeeded {
			p.view = view{whole: true, rev: res.Header.Revision}
		} else {
			p.Line.calm.Store(0)
		}
	}
	if res.Succeeded {
		e.rev = res.Header.Revision
	}
	return res.Succeeded, nil
}

// alone reports whether the place's view shows nothing in the line.
func (p *place) alone() bool {
	return p.view.whole && len(p.view.front) == 0 && p.view.settings == nil && p.view.tenure == nil
}

// create carries out t, which creates the entry's keys, until its outcome is
// known. t compares that the keys are missing, so that it can be repeated.
func (e *Entry) create(ctx context.Context, t etcd.Txn, pace *pacer) (*etcd.TxnResult, error) {
	for {
		res, err := e.s.Client().Txn(ctx, t)
		if err == nil {
			return res, nil
		}
		if !errors.Is(err, etcd.ErrUnknownOutcome) {
			return nil, err
		}
		if mutant.LockGuessesRefusal {
			return nil, err
		}
		e.suspect = true
		if !transient(err) || ctx.Err() != nil {
			return nil, err
		}
		if werr := pace.wait(ctx, e.life); werr != nil {
			return nil, errors.Join(werr, err)
		}
		if e.places[0].Rule.Handover {
			var ierr error
			if t, ierr = e.unlessInherited(ctx, t, pace); errors.Is(ierr, errInherited) {
				return nil, ierr
			} else if ierr != nil {
				return nil, errors.Join(ierr, err)
			}
		}
	}
}

// adopt looks whether an attempt without an answer has created the keys. res was
// not successful, and each place's slot has the read of its key.
func (e *Entry) adopt(res *etcd.TxnResult) (bool, error) {
	var rev int64
	there := 0
	for i := range e.places {
		p := &e.places[i]
		kv, ok := res.Results[p.slot].Get.First()
		if !ok {
			continue
		}
		if e.suspect && p.Rule.Handover && member(kv).Heir != nil {
			return false, ErrDeposed // it led, and did not know
		}
		if !e.suspect || !e.isOwn(p, kv) {
			p.key = p.Line.takeKey() // somebody else's: never touch it again
			return false, fmt.Errorf("key %.200q, made of a random number, is somebody else's", kv.Key)
		}
		there++
		rev = kv.CreateRevision
	}
	switch there {
	case 0:
		return false, nil
	case len(e.places):
		e.rev = rev
		return true, nil
	}
	return false, fmt.Errorf("some of the keys that were created together: %w", ErrDeleted)
}

// isOwn reports whether an attempt without an answer has created the key.
func (e *Entry) isOwn(p *place, kv etcd.KV) bool {
	if p.Rule.Handover {
		return e.unheard(kv) // it may have been asked for something meanwhile
	}
	return kv.Lease == e.s.Lease() && bytes.Equal(kv.Value, p.value)
}

// agreed is what must hold of the line's settings when the place is taken.
func (p *place) agreed() []etcd.Cmp {
	if s := p.Rule.settings(); s != nil {
		return []etcd.Cmp{etcd.IfValue(etcd.Key(p.Line.settingsKey()), etcd.Equal, s.encode())}
	}
	return nil
}

// How many of those in front a contender reads at first. An exclusive one needs
// the last; that there are more, the read tells.
const (
	exclusiveWindow = 1
	readerWindow    = 14
)

func (p *place) window() int64 {
	switch p.Rule.Kind {
	case Permits:
		return 0
	case Reader:
		return readerWindow
	}
	if p.Rule.Quarantine != 0 || p.Rule.Handover {
		return exclusiveWindow + 1 // the newest may be a key that is no contender's
	}
	return exclusiveWindow
}

// readFront reads the newest of the line before the place is taken.
func (p *place) readFront() etcd.Op {
	n := p.window()
	if n == 0 {
		return etcd.Get(p.Line.set(), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending))
	}
	return etcd.Get(p.Line.set(), etcd.WithSort(etcd.ByCreateRevision, etcd.Descending), etcd.WithLimit(n))
}

// readView makes a view of a read that was sorted by create revision, either
// way: of those older than the contender that was created at rev.
func (p *place) readView(r *etcd.GetResult, rev int64) view {
	v := view{whole: !r.More, rev: r.Header.Revision}
	add := func(kv etcd.KV) {
		switch {
		case kv.Key == p.Line.settingsKey():
			v.settings = &kv
		case kv.Key == p.Line.tenureKey():
			v.tenure = &kv
		case !p.Line.isContender(kv.Key):
		case kv.CreateRevision < rev:
			v.front = append(v.front, p.Rule.member(kv))
		}
	}
	n := len(r.KVs)
	if n > 1 && r.KVs[0].CreateRevision > r.KVs[n-1].CreateRevision {
		for i := n - 1; i >= 0; i-- {
			add(r.KVs[i])
		}
	} else {
		for _, kv := range r.KVs {
			add(kv)
		}
	}
	return v
}

package line

import (
	"context"

	"github.com/quorate/quorate/etcd"
)

// Try is Acquire without a wait: if somebody excludes the entry, the error is a
// *BlockedError that wraps ErrHeld.
//
// The keys are created under the condition that the lines are as they were when
// they were judged. For the first attempt that is "empty", so an uncontended
// try is one round trip; it is repeated where others come and go meanwhile, with
// whom the entry could share. Where they do so all the time that would take the
// longer the more they are, so after some attempts the entry enters the lines
// without a condition, as by Acquire, and leaves again if it would have to wait.
// A try of one line that excludes all others never stands there in vain.
func Try(ctx context.Context, wants ...Want) (*Entry, error) {
	e, err := prepare(ctx, wants)
	if err != nil {
		return nil, err
	}
	bound, unbind := both(ctx, e.life)
	defer unbind(nil)
	err = e.try(bound)
	if err == nil {
		err = e.beginAll(bound)
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

// tries is how many attempts in a row to take a place that was free when it was
// looked at may fail.
const tries = 3

func (e *Entry) try(ctx context.Context) error {
	var pace pacer
	for n := 0; n < tries || !e.shares(); n++ {
		res, err := e.create(ctx, e.tryTxn(), &pace)
		if err != nil {
			return err
		}
		if res.Succeeded {
			e.rev = res.Header.Revision
			return nil
		}
		if adopted, err := e.adopt(res); adopted || err != nil {
			return err
		}
		var by []Member
		for i := range e.places {
			p := &e.places[i]
			r := res.Results[p.slot+1].Get
			p.view = p.readView(r, r.Header.Revision+1)
			if len(p.agreed()) > 0 {
				created, err := p.agree(ctx, e.life, settingsOf(p.view))
				if err != nil {
					return err
				}
				if created {
					p.view = view{}
					continue
				}
			}
			switch v := p.Line.judge(p.Rule, &p.view); {
			case v.err != nil:
				return v.err
			case !v.in:
				by = append(by, p.view.front...)
			case p.view.tenure != nil && p.tenure != nil:
				// Its holder is gone. The quarantine must begin to run also if
				// nobody ever waits.
				if _, err := p.Line.sentence(ctx, *p.view.tenure, p.Rule.Quarantine); err != nil {
					return err
				}
				return quarantined()
			}
		}
		if len(by) > 0 {
			return blocked(by)
		}
	}
	return e.tryInLine(ctx)
}

// shares reports whether others may be in beside the entry in some line, and so
// come and go while it looks. Where the line has a quarantine there is more to do
// before it is in.
func (e *Entry) shares() bool {
	shares := false
	for i := range e.places {
		p := &e.places[i]
		if p.tenure != nil {
			return false
		}
		shares = shares || !p.Rule.exclusive()
	}
	return shares
}

// tryInLine enters the lines and looks whether the entry is in.
func (e *Entry) tryInLine(ctx context.Context) error {
	for i := range e.places {
		e.places[i].view = view{} // of a look before: where the reply is lost there is no other
	}
	if err := e.enqueue(ctx); err != nil {
		return err
	}
	var (
		pace pacer
		by   []Member
	)
	for i := range e.places {
		p := &e.places[i]
		v, looked := p.Line.judge(p.Rule, &p.view), false
		for ; v.err == nil && v.look; v = p.Line.judge(p.Rule, &p.view) {
			looked = true
			if err := e.look(ctx, p, &pace); err != nil {
				return err
			}
		}
		switch {
		case v.in && looked: // it may have had to wait in between, and somebody behind it seen that
			if err := e.admitted(ctx, p); err != nil {
				return err
			}
		case v.err != nil:
			return v.err
		case !v.in:
			by = append(by, p.view.front...)
		}
	}
	if len(by) > 0 {
		return blocked(by)
	}
	return nil
}

// mostCmps is how many comparisons fit in one transaction.
const mostCmps = 128

func (e *Entry) tryTxn() etcd.Txn {
	var t etcd.Txn
	for i := range e.places {
		p := &e.places[i]
		key, set := etcd.Key(p.key), p.Line.set()
		// Its own key is not there either, or newer. There are lines enough for
		// this to matter (see maxPlaces).
		if p.view.rev == 0 {
			t.If = append(t.If, p.nobody(3*len(e.places) <= mostCmps)...)
		} else {
			// Whoever came or changed since has a greater revision. That
			// somebody left does no harm.
			t.If = append(t.If, etcd.IfModRevision(set, etcd.Less, p.view.rev+1))
		}
		t.If = append(t.If, p.agreed()...)
		t.Then = append(t.Then, etcd.Put(p.key, p.value, etcd.WithLease(e.s.Lease())))
		p.slot = len(t.Else)
		t.Else = append(t.Else, etcd.Get(key), etcd.Get(set, etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending)))
	}
	return t
}

// nobody holds while there is nothing in the line, but for the settings on which
// all have agreed. Where there is no room for the two comparisons that leave these
// out, it does not hold where there are any.
func (p *place) nobody(room bool) []etcd.Cmp {
	l := p.Line
	if p.Rule.settings() == nil || !room {
		return []etcd.Cmp{etcd.Missing(l.set())}
	}
	end := l.prefix[:len(l.prefix)-1] + string('/'+1) // of what begins with the prefix
	return []etcd.Cmp{
		etcd.Missing(etcd.Range(l.prefix, l.settingsKey())),
		etcd.Missing(etcd.Range(l.settingsKey()+"\x00", end)),
	}
}

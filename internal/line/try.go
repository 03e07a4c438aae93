package line

import (
	"context"

	"github.com/quorate/quorate/etcd"
)

// Try is Acquire without a wait: if somebody excludes the entry, the error is a
// *BlockedError that wraps ErrHeld, and at no time does the entry stand in a
// line.
//
// The keys are created under the condition that the lines are as they were when
// they were judged. For the first attempt that is "empty", so an uncontended
// try is one round trip; it may be repeated where others come and go meanwhile.
func Try(ctx context.Context, wants ...Want) (*Entry, error) {
	e, err := prepare(ctx, wants)
	if err != nil {
		return nil, err
	}
	bound, unbind := both(ctx, e.life)
	defer unbind(nil)
	if err := e.try(bound); err != nil {
		return nil, e.fail(ctx, err)
	}
	if err := e.confirm(ctx); err != nil {
		return nil, e.fail(ctx, err)
	}
	e.watchSoon()
	return e, nil
}

func (e *Entry) try(ctx context.Context) error {
	var pace pacer
	for {
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
			case p.view.tenure != nil:
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
}

func (e *Entry) tryTxn() etcd.Txn {
	var t etcd.Txn
	for i := range e.places {
		p := &e.places[i]
		key, set := etcd.Key(p.key), p.Line.set()
		t.If = append(t.If, etcd.Missing(key))
		if p.view.rev == 0 {
			t.If = append(t.If, etcd.Missing(set))
		} else {
			// Whoever came or changed since has a greater revision. That
			// somebody left does no harm.
			t.If = append(t.If, etcd.IfModRevision(set, etcd.Less, p.view.rev+1))
		}
		t.If = append(t.If, p.agreed()...)
		t.Then = append(t.Then, etcd.Put(p.key, p.value, etcd.WithLease(e.s.Lease())))
		if p.tenure != nil {
			t.Then = append(t.Then, etcd.Put(p.Line.tenureKey(), p.tenure))
		}
		p.slot = len(t.Else)
		t.Else = append(t.Else, etcd.Get(key), etcd.Get(set, etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending)))
	}
	return t
}

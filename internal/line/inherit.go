package line

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// Handing over. Where the rule says so, whoever stands first can hand its place
// to one further behind, without anybody being first in between: its key, the
// oldest of the line, is bound to the heir's lease and gets the heir's note, and
// the heir's own key is deleted, all in one commit. So the order by create
// revision still says who is first, but a create revision says no longer since
// when. A key of the line, the handover, is put in the same commit and tells of
// the latest one: who stands first since before it is out, even if the very key
// comes back to the same lease. It is bound to the heir's lease and goes with
// the heir.

// handoverName is the last part of the key that tells of the latest handover.
const handoverName = "handover"

func (l *Line) handoverKey() string { return l.prefix + handoverName }

// An Heir is a contender by the key it was when it waited.
type Heir struct {
	Key     string `json:"key"`
	Created int64  `json:"created"` // the key's create revision
}

// A handover is the value of the handover's key.
type handover struct {
	Key     string `json:"key"`     // what was handed over
	Created int64  `json:"created"` // its create revision
	Heir    Heir   `json:"heir"`    // whom to
}

// A bequest is the key that was handed to an entry.
type bequest struct {
	key   string
	rev   int64 // its create revision
	first int64 // the revision of the handover
	heir  Heir  // the entry, as it waited
}

// A hold is the key by which an entry stands in the line.
type hold struct {
	key  string
	rev  int64 // its create revision
	heir *Heir // what the key's note says of whom it was handed to
}

// errInherited says that the entry stands first since somebody handed over.
var errInherited = errors.New("handed over")

// hold gives the key that the entry has in the line.
func (e *Entry) hold(p *place) hold {
	if b := e.bequest.Load(); b != nil {
		return hold{b.key, b.rev, &b.heir}
	}
	return hold{p.key, e.rev, nil}
}

// ownFirst holds if the key is the entry's, and the entry has not handed over
// since it has stood first.
func (e *Entry) ownFirst(p *place) etcd.Cmp {
	own := e.hold(p)
	cs := []etcd.Cmp{
		etcd.IfCreateRevision(etcd.Key(own.key), etcd.Equal, own.rev),
		etcd.IfLease(etcd.Key(own.key), etcd.Equal, e.s.Lease()),
	}
	if first := e.stood(); first != 0 && !mutant.TermComesBack {
		cs = append(cs, etcd.IfModRevision(etcd.Key(p.Line.handoverKey()), etcd.Less, first+1))
	}
	return etcd.AllOf(cs...)
}

// stood gives a revision at which the entry stood first; 0 before.
func (e *Entry) stood() int64 {
	if b := e.bequest.Load(); b != nil {
		return b.first
	}
	return e.first.Load()
}

// standFirst notes that the entry stands first, when its view says so. What it
// is since when is the latest that the view is known to hold of.
func (e *Entry) standFirst(p *place) {
	if p.Rule.Handover && e.bequest.Load() == nil {
		first := max(e.rev, p.view.rev, p.view.left)
		if mutant.TermLooseToken {
			first = e.rev
		}
		e.first.Store(first)
	}
	if e.bequest.Load() == nil {
		e.at = &etcd.KV{Key: p.key, Value: p.value, CreateRevision: e.rev, ModRevision: e.rev}
	}
}

// waitOr is waitIn, and ends as well when somebody hands over.
func (e *Entry) waitOr(ctx context.Context, p *place) error {
	if !p.Rule.Handover {
		return e.waitIn(ctx, p)
	}
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	e.wake = cancel
	if e.bequest.Load() != nil {
		cancel()
	}
	e.mu.Unlock()
	err := e.waitIn(wait, p)
	if err != nil && e.bequest.Load() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// missing is called when the key by which the entry stood is not there any more.
// If it was handed another the error is errInherited, if the entry is lost the
// cause of that; any other error says that this could not be found out.
func (e *Entry) missing(p *place, own hold) error {
	if p.Rule.Handover && own.heir == nil && e.first.Load() == 0 && !mutant.HeirDoubts {
		e.mu.Lock()
		if e.bequest.Load() == nil {
			e.gone.Store(true) // unless it turns out otherwise
		}
		e.mu.Unlock()
		found, _, err := e.inherit(e.life, p)
		switch {
		case err != nil:
			return err
		case found:
			return errInherited
		}
	}
	return e.lost(e.history(p))
}

// ignoreLoss leaves of an error of missing what is to be tried again.
func (e *Entry) ignoreLoss(err error) error {
	if e.life.Err() != nil {
		return nil
	}
	return err
}

// inherit looks whether somebody has handed over to the entry, whose own key is
// gone, and as of which revision that is so.
func (e *Entry) inherit(ctx context.Context, p *place) (bool, int64, error) {
	if e.bequest.Load() != nil {
		return true, 0, nil
	}
	r, err := e.s.Client().Get(ctx, etcd.Key(p.Line.handoverKey()))
	if err != nil {
		return false, 0, err
	}
	kv, ok := r.First()
	if !ok || kv.Lease != e.s.Lease() {
		return false, r.Header.Revision, nil
	}
	var h handover
	if err := json.Unmarshal(kv.Value, &h); err != nil || h.Heir.Key != p.key ||
		e.rev != 0 && h.Heir.Created != e.rev { // 0: its creation had no answer
		return false, r.Header.Revision, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bequest.CompareAndSwap(nil, &bequest{h.Key, h.Created, kv.ModRevision, h.Heir}) {
		if e.suspect {
			// A late attempt may still create the key it waited by, as itself.
			e.s.Abandon(p.key, p.value)
		}
		e.gone.Store(false)
		close(e.inherited)
		if e.wake != nil {
			e.wake()
		}
	}
	return true, kv.ModRevision, nil
}

// unlessInherited makes of the transaction that creates the entry's key, and
// that had no answer, one that can be repeated. The key may have been created,
// and be gone again because somebody has handed over to it: that is to be found
// out, and must not have happened since when the transaction is carried out.
func (e *Entry) unlessInherited(ctx context.Context, t etcd.Txn, pace *pacer) (etcd.Txn, error) {
	p := &e.places[0]
	for {
		found, rev, err := e.inherit(ctx, p)
		switch {
		case found:
			return t, errInherited
		case err == nil:
			since := etcd.IfModRevision(etcd.Key(p.Line.handoverKey()), etcd.Less, rev+1)
			t.If = append(slices.Clip(slices.Clone(t.If)[:1]), since)
			return t, nil
		}
		if err = e.retry(ctx, err, pace); err != nil {
			return t, err
		}
	}
}

// changed is called with the entry's key as it is, and reports whether that says
// that the entry has lost it.
func (e *Entry) changed(p *place, own hold, kv etcd.KV) bool {
	if !p.Rule.Handover {
		return false
	}
	m := member(kv)
	switch {
	case m.Released: // by the entry itself
		return false
	case mutant.TermDeaf:
		return false
	case !m.Foreign && !sameHeir(m.Heir, own.heir):
		e.gone.Store(true)
		e.end(ErrDeposed)
		return true
	case kv.Lease != e.s.Lease() && m.Broken == nil:
		e.gone.Store(true)
		e.end(p.Line.mismatch(kv.Key, "it was changed by somebody else"))
		return true
	}
	if m.Asked != nil {
		e.ask(*m.Asked)
	}
	return false
}

func sameHeir(a, b *Heir) bool { return a == b || a != nil && b != nil && *a == *b }

// vanished says why the key of an entry that stood in the line was not there
// when it was to be removed, as res found it; nil if it was there.
func (e *Entry) vanished(res *etcd.TxnResult) error {
	if e.allSucceeded(res) {
		return nil
	}
	if e.places[0].Rule.Handover {
		if kv, ok := res.Results[0].Get.First(); ok && kv.CreateRevision == e.hold(&e.places[0]).rev {
			return ErrDeposed
		}
	}
	return ErrDeleted
}

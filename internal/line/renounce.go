package line

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/quorate/quorate/etcd"
)

// shorten makes the removal of a candidate's key compare one thing in place of
// several: that nobody has changed it since the entry knows it. Who stood first
// before and does not any more finds it changed or gone.
func (e *Entry) shorten(t *etcd.Txn) bool {
	p := &e.places[0]
	if !p.Rule.Handover || e.at == nil || e.bequest.Load() != nil {
		return false
	}
	t.If, t.Else = []etcd.Cmp{etcd.IfModRevision(etcd.Key(p.key), etcd.Equal, e.at.ModRevision)}, nil
	return true
}

// unheard reports whether a key of the line is the entry's as long as that has
// not heard that it stands first: somebody may have asked it to hand over since it
// was created, but not have handed its place on, be it to a candidate of the same
// session.
func (e *Entry) unheard(kv etcd.KV) bool {
	return kv.Lease == e.s.Lease() && (e.rev == 0 || kv.CreateRevision == e.rev) && member(kv).Heir == nil
}

// asKnown holds if the key of an entry that has not heard that it stands first is
// as the entry knows it.
func (e *Entry) asKnown(p *place) []etcd.Cmp {
	key := etcd.Key(p.key)
	switch {
	case e.at != nil:
		return []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, e.at.ModRevision)}
	case e.rev != 0:
		return []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, e.rev)}
	}
	// Its creation had no answer.
	return []etcd.Cmp{etcd.IfLease(key, etcd.Equal, e.s.Lease()), etcd.IfValue(key, etcd.Equal, p.value)}
}

// learn takes in how the key of an entry that has not heard that it stands first
// was found when it was not removed. It reports whether it is the entry's all the
// same.
func (e *Entry) learn(res *etcd.TxnResult) bool {
	if !e.places[0].Rule.Handover || e.stood() != 0 || res.Succeeded {
		return false
	}
	kv, ok := res.Results[0].Get.First()
	if !ok || !e.unheard(kv) {
		return false
	}
	e.at = &kv
	return true
}

// retireHandover is the end of what tells of the handover to the entry, in the
// commit that deletes its key.
func (e *Entry) retireHandover(p *place) []etcd.Op {
	if e.bequest.Load() == nil {
		return nil
	}
	key := etcd.Key(p.Line.handoverKey())
	return []etcd.Op{etcd.Nest(etcd.Txn{
		If:   []etcd.Cmp{etcd.IfLease(key, etcd.Equal, e.s.Lease()), etcd.IfModRevision(key, etcd.Equal, e.stood())},
		Then: []etcd.Op{etcd.Delete(key)},
	})}
}

// withdrawInherited takes a failed entry, whose own key was not there any more and
// may have been exchanged for another, out of the line.
func (e *Entry) withdrawInherited(ctx context.Context) error {
	p := &e.places[0]
	if !p.Rule.Handover || e.bequest.Load() != nil {
		return nil
	}
	if found, _, err := e.inherit(ctx, p); err != nil || !found {
		return err
	}
	if _, _, err := e.withdraw(ctx); err != nil {
		return fmt.Errorf("withdraw key %.200q: %w", e.hold(p).key, err)
	}
	return nil
}

// abandonHandover leaves what the entry has, or what is handed to it later, to
// the session's janitor. A key that was handed over, and may be handed back, is
// the entry's only as long as its note says so.
func (e *Entry) abandonHandover(p *place) {
	e.s.Abandon(p.key, p.value)
	heir, tells := Heir{p.key, e.rev}, p.Line.handoverKey()
	if b := e.bequest.Load(); b != nil {
		heir = b.heir
	}
	e.s.AbandonMatching(p.Line.prefix, func(kv etcd.KV) bool {
		to := member(kv).Heir
		switch kv.Key {
		case tells:
			var h handover
			if json.Unmarshal(kv.Value, &h) == nil {
				to = &h.Heir
			}
		case p.key:
			if to == nil {
				return true
			}
		}
		return to != nil && (*to == heir || heir.Created == 0 && to.Key == heir.Key)
	})
}

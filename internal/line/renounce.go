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
	t.If = []etcd.Cmp{etcd.IfModRevision(etcd.Key(p.key), etcd.Equal, e.at.ModRevision)}
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

// withdrawInherited takes a failed entry, whose own key may have been exchanged
// for another, out of the line.
func (e *Entry) withdrawInherited(ctx context.Context) error {
	p := &e.places[0]
	if !p.Rule.Handover || e.bequest.Load() != nil {
		return nil
	}
	if found, _, err := e.inherit(ctx, p); err != nil || !found {
		return err
	}
	if _, err := e.withdraw(ctx); err != nil {
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

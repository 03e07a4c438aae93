package line

import (
	"bytes"
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// Proclaim changes what the candidate who stands first says. It repeats that
// until the outcome is known. Of several at once each is carried out as a whole,
// and none that is late overwrites a newer one: every change compares the key's
// revision. The entry must be of a single line.
func (e *Entry) Proclaim(ctx context.Context, value []byte) error {
	select {
	case e.leaving <- struct{}{}: // not while it leaves, and one at a time
	case <-ctx.Done():
		return pace.Over(ctx)
	case <-e.life.Done():
		return context.Cause(e.life)
	}
	defer func() { <-e.leaving }()
	bound, unbind := both(ctx, e.life)
	defer unbind(nil)
	if err := e.proclaim(bound, value); err != nil {
		return e.reason(ctx, err)
	}
	return nil
}

func (e *Entry) proclaim(ctx context.Context, value []byte) (err error) {
	p := &e.places[0]
	own := e.hold(p)
	var unknown error
	defer func() {
		if err != nil && e.life.Err() == nil {
			err = stillUnknown(own.key, err, unknown)
		}
	}()
	key := etcd.Key(own.key)
	now, sent := e.at, []byte(nil)
	var pace pacer
	for {
		if err := e.Err(); err != nil {
			return err
		}
		if now == nil { // not known how it stands there
			r, err := e.s.Client().Get(ctx, key)
			if err != nil {
				if err = e.retry(ctx, err, &pace); err != nil {
					return err
				}
				continue
			}
			if kv, ok := r.First(); ok && kv.CreateRevision == own.rev {
				now = &kv
			} else {
				return e.lost(nil)
			}
		}
		if sent != nil && p.says(*now, sent) {
			e.at = now
			return nil // by an attempt without an answer
		}
		e.at, sent = nil, p.proclaimed(*now, value)
		res, err := e.s.Client().Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{e.own(p), etcd.IfModRevision(key, etcd.Equal, now.ModRevision)},
			Then: []etcd.Op{etcd.Put(own.key, sent, etcd.IgnoreLease())},
			Else: []etcd.Op{etcd.Get(key)},
		})
		switch {
		case err == nil && res.Succeeded:
			e.at = &etcd.KV{Key: own.key, Value: sent, CreateRevision: own.rev, ModRevision: res.Header.Revision}
			return nil
		case err == nil:
			kv, ok := res.Results[0].Get.First()
			switch {
			case !ok || kv.CreateRevision != own.rev:
				return e.lost(nil)
			case kv.Lease != e.s.Lease() || e.changed(p, own, kv):
				e.gone.Store(true)
				e.end(ErrDeposed)
				return context.Cause(e.life)
			case kv.ModRevision == now.ModRevision:
				return p.Line.mismatch(kv.Key, "it is as it should be, and yet the entry does not stand first")
			}
			now = &kv
		case errors.Is(err, etcd.ErrUnknownOutcome):
			now, unknown = nil, err
			if err = e.retry(ctx, err, &pace); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// proclaimed gives the bytes of a candidate's key that are to say value.
func (p *place) proclaimed(kv etcd.KV, value []byte) []byte {
	if p.Rule.Raw {
		return value
	}
	m := member(kv)
	if m.Foreign {
		m = member(etcd.KV{Value: p.value})
	}
	says := map[string]any{"value": nil, "proclaimed": m.Proclaimed + 1}
	if len(value) > 0 {
		says["value"] = value
	}
	return m.amended(says)
}

// says reports whether a candidate's key holds the proclamation of which sent are
// the bytes; somebody may have asked it to hand over since.
func (p *place) says(kv etcd.KV, sent []byte) bool {
	if p.Rule.Raw {
		return bytes.Equal(kv.Value, sent)
	}
	now, then := member(kv), member(etcd.KV{Value: sent})
	return now.Proclaimed == then.Proclaimed && bytes.Equal(now.Value, then.Value)
}

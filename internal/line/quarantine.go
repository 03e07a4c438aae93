package line

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
)

// Quarantine. In a line whose settings ask for it, a holder writes down that it
// holds before it does: a key of the line, its tenure, that is bound to no
// lease. A release deletes both keys in one commit. So a tenure whose holder is
// gone tells of an unclean loss, to everybody who comes after, and whoever finds
// one gives it a lease as long as the quarantine. Nobody gets in until the
// server has let that run out: no clock but the server's is asked, and it does
// not matter who found the tenure and whether that is still there.
//
// The line pays a commit an acquisition for it; other lines pay nothing.

// tenureName is the last part of the key that says who holds.
const tenureName = "held"

func (l *Line) tenureKey() string { return l.prefix + tenureName }

// A tenure says which contender holds.
type tenure struct {
	Key   string `json:"key"`
	Nonce string `json:"nonce"` // of this one acquisition
}

// ErrQuarantine: nobody holds, and nobody gets in yet, because the last holder
// was lost without a release.
var ErrQuarantine = errors.New("in quarantine after a loss")

// quarantined is the error of whoever does not wait for the end of it.
func quarantined() error {
	return &BlockedError{Err: fmt.Errorf("%w: %w", ErrHeld, ErrQuarantine)}
}

// newTenure makes the bytes of a place's tenure; nil where the line has no
// quarantine.
func (p *place) newTenure() []byte {
	if p.Rule.Quarantine == 0 {
		return nil
	}
	b, _ := json.Marshal(tenure{Key: p.key, Nonce: rand.Text()}) // never fails
	return b
}

// holds reports whether kv is the tenure of the contender m.
func (m *Member) holds(kv etcd.KV) bool {
	var t tenure
	return json.Unmarshal(kv.Value, &t) == nil && t.Key == m.Key && kv.ModRevision >= m.Token
}

// beginAll writes down that the entry holds in each line that has a quarantine.
// It does so only when the entry stands first there: what is written may come
// late, and would keep everybody out who comes after, but not once the entry's
// key is gone.
func (e *Entry) beginAll(ctx context.Context) error {
	for i := range e.places {
		if p := &e.places[i]; p.tenure != nil {
			if err := e.begin(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin writes down that the entry holds, when nothing in front excludes it any
// more. Where it finds a tenure, that one's holder is gone: everybody in front
// is. Then it waits until the quarantine is over.
func (e *Entry) begin(ctx context.Context, p *place) error {
	key := etcd.Key(p.Line.tenureKey())
	t := etcd.Txn{
		If:   []etcd.Cmp{e.own(p), etcd.Missing(key)},
		Then: []etcd.Op{etcd.Put(p.Line.tenureKey(), p.tenure)},
		Else: []etcd.Op{etcd.Get(etcd.Key(p.key)), etcd.Get(key)},
	}
	var pace pacer
	for { // a late attempt finds the entry's own key gone
		res, err := e.s.Client().Txn(ctx, t)
		if err != nil {
			if err = e.retry(ctx, err, &pace); err != nil {
				return err
			}
			continue
		}
		if res.Succeeded {
			e.sitting = false
			return nil
		}
		if kv, ok := res.Results[0].Get.First(); !ok || kv.CreateRevision != e.rev {
			return e.lost(e.history(p))
		}
		kv, there := res.Results[1].Get.First()
		switch {
		case !there: // gone between the compare and now? the same commit: not so
			return fmt.Errorf("%w: nothing is at key %.200q and yet it is not missing", etcd.ErrBadReply, p.Line.tenureKey())
		case bytes.Equal(kv.Value, p.tenure):
			return nil // of an attempt without an answer
		}
		e.watchWaiting(nil)
		e.sitting = true
		if err := e.sitOut(ctx, p, kv); err != nil {
			if err = e.retry(ctx, err, &pace); err != nil {
				return err
			}
		}
	}
}

// sitOut waits until a tenure whose holder is gone has changed.
func (e *Entry) sitOut(ctx context.Context, p *place, kv etcd.KV) error {
	rev, err := p.Line.sentence(ctx, kv, p.Rule.Quarantine)
	if err != nil {
		return err
	}
	key := etcd.Key(kv.Key)
	w, err := e.s.Client().Watch(ctx, key)
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := e.s.Client().Get(ctx, key)
	if err != nil {
		return err
	}
	if now, ok := r.First(); !ok || now.ModRevision != rev {
		return nil
	}
	for {
		evs, err := w.Next(ctx)
		if errors.Is(err, etcd.ErrCompacted) {
			return nil // the next look shows
		}
		if err != nil {
			return err
		}
		for _, ev := range evs.Events {
			if ev.KV.ModRevision > r.Header.Revision {
				return nil
			}
		}
	}
}

// sentence gives the tenure of a holder that is gone a lease that ends it, unless
// somebody has done so. It gives the revision that the tenure then has, or 0 if
// it has changed meanwhile.
func (l *Line) sentence(ctx context.Context, kv etcd.KV, long time.Duration) (int64, error) {
	if kv.Lease != 0 {
		return kv.ModRevision, nil
	}
	c := l.s.Client()
	lease, err := c.Grant(ctx, long)
	if err != nil {
		return 0, err
	}
	key := etcd.Key(kv.Key)
	// Without an answer the lease is left to run out, and the tenure with it if
	// it came so far.
	res, err := c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, kv.ModRevision)},
		Then: []etcd.Op{etcd.Put(kv.Key, kv.Value, etcd.WithLease(lease.ID))},
	})
	switch {
	case errors.Is(err, etcd.ErrLeaseNotFound):
		return 0, nil // its time was over before it got there; it is as good as changed
	case err != nil:
		return 0, err
	case !res.Succeeded:
		if err = c.Revoke(ctx, lease.ID); errors.Is(err, etcd.ErrLeaseNotFound) { // nothing is bound to it
			err = nil
		}
		return 0, err
	}
	return res.Header.Revision, nil
}

// retire is the end of a tenure, in the commit that deletes the entry's key.
func (p *place) retire() []etcd.Op {
	if p.tenure == nil {
		return nil
	}
	key := etcd.Key(p.Line.tenureKey())
	return []etcd.Op{etcd.Nest(etcd.Txn{
		If:   []etcd.Cmp{etcd.IfValue(key, etcd.Equal, p.tenure)},
		Then: []etcd.Op{etcd.Delete(key)},
	})}
}

package line

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/etcd"
)

// admitted is called when nothing excludes the entry any more after a wait.
// Somebody behind it who asks for permits watches its key to learn of that, so
// the key is changed. Where etcd is full that can't be done; whoever is behind
// then finds it out by itself (see hear).
func (e *Entry) admitted(ctx context.Context, p *place) error {
	if p.Rule.Kind != Permits {
		return nil
	}
	key := etcd.Key(p.key)
	kv := etcd.KV{Key: p.key, Value: p.value, CreateRevision: e.rev, ModRevision: e.rev}
	held := time.Now().UTC().Truncate(time.Millisecond)
	var pace pacer
	for { // a late attempt finds the key changed, or gone
		m := member(kv)
		if m.Foreign { // somebody has spoilt it
			m = member(etcd.KV{Value: p.value})
		}
		res, err := e.s.Client().Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, kv.ModRevision)},
			Then: []etcd.Op{etcd.Put(p.key, m.amended(map[string]any{"held": held}), etcd.IgnoreLease())},
			Else: []etcd.Op{etcd.Get(key)},
		})
		switch {
		case err == nil && res.Succeeded, errors.Is(err, etcd.ErrNoSpace):
			return nil
		case err == nil:
			now, ok := res.Results[0].Get.First()
			if !ok || now.CreateRevision != e.rev {
				return e.lost(e.history(p))
			}
			if member(now).Held != nil {
				return nil // by an attempt without an answer
			}
			kv = now
			continue
		}
		if err = e.retry(ctx, err, &pace); err != nil {
			return err
		}
	}
}

// errUnheard says that nothing was heard for so long that a look is due.
var errUnheard = errors.New("nothing was heard")

// Who waits for permits behind others hears of it from the one in front when that
// gets in. That one may not be able to tell (see admitted), so every hearAfter it
// looks for itself; in a long line less often, the less the further behind.
const (
	hearAfter = 10 * time.Second
	hearEach  = 100 * time.Millisecond // for each in front
)

// hear gives the next events of s, by which the entry waits in p as v says.
func (e *Entry) hear(ctx context.Context, p *place, v verdict, s *sight) ([]etcd.Event, error) {
	if p.Rule.Kind != Permits || !v.one {
		return s.next(ctx)
	}
	long := max(hearAfter, time.Duration(p.view.ahead())*hearEach)
	bound, cancel := context.WithTimeout(ctx, long+rand.N(long/4))
	defer cancel()
	evs, err := s.next(bound)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		err = errUnheard
	}
	return evs, err
}

// ahead is how many are in front at most.
func (v *view) ahead() int {
	if v.most > 0 {
		return min(len(v.front), int(v.most))
	}
	return len(v.front)
}

// glance is the look of who has heard nothing for so long. Many do so all the
// time, so it reads of the line the oldest alone, more than there are permits: as
// long as these want more than all permits it goes on as it did.
func (e *Entry) glance(ctx context.Context, p *place, pace *pacer) error {
	limit, err := p.Line.limitOf(p.view.settings)
	if err != nil || limit >= int64(len(p.view.front)) {
		return e.look(ctx, p, pace)
	}
	r, err := e.s.Client().Get(ctx, p.Line.set(), etcd.WithLimit(limit+2), // one is the settings
		etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending))
	if err != nil {
		return e.look(ctx, p, pace) // which tries again
	}
	now := p.readView(r, e.rev)
	if now.settings == nil || now.settings.ModRevision != p.view.settings.ModRevision || !now.wants(limit+1) {
		return e.look(ctx, p, pace)
	}
	p.view.most = r.Count
	return nil
}

// wants reports whether those in front want so many permits, or more.
func (v *view) wants(permits int64) bool {
	for i := range v.front {
		m := &v.front[i]
		if m.Kind != Permits || m.Weight <= 0 {
			return false // a look tells what is wrong
		}
		if permits -= min(m.Weight, permits); permits == 0 {
			return true
		}
	}
	return false
}

package line

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// watchAfter is how long an entry is held before its keys are watched. Who
// holds for a shorter time pays for no watch; a deletion within that time is
// noticed when it is over. An expiry of the session never waits for it.
const watchAfter = 75 * time.Millisecond

// inquest bounds how long the cause of a loss is asked for. Err and Guard know
// of the loss meanwhile.
const inquest = 500 * time.Millisecond

// watchSoon starts watching the keys of an entry that did not wait, after a
// while.
func (e *Entry) watchSoon() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.timer = time.AfterFunc(watchAfter, e.watchNow)
	}
}

// watchNow starts watching the entry's keys.
//
// The watches do not end with the entry's life but right after its keys have
// been removed, so that what it costs to end them delays nobody who waits for
// that.
func (e *Entry) watchNow() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	ctx, stop := context.WithCancel(e.s.Context())
	e.stop = stop
	for i := range e.places {
		p := &e.places[i]
		told := p.told
		e.wg.Add(1)
		go func() {
			defer e.wg.Done()
			e.watchKey(ctx, p, told)
		}()
	}
}

// quiet ends all that runs for the entry and waits for it. The entry's life
// must have ended.
func (e *Entry) quiet() {
	e.mu.Lock()
	e.closed = true
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.stop != nil {
		e.stop()
	}
	e.mu.Unlock()
	e.wg.Wait()
}

// watchKey watches one key of the entry until it is gone or the entry's life
// ends. Where it can't watch it goes on trying: the session's deadline does not
// depend on it. Where told is not nil somebody else looks for what happened to
// the key before it was watched.
func (e *Entry) watchKey(ctx context.Context, p *place, told chan<- int64) {
	var pace pacer
	for e.life.Err() == nil {
		err := e.watchKeyOnce(ctx, p, told)
		if err == nil || e.life.Err() != nil {
			return
		}
		if errors.Is(err, etcd.ErrClusterChanged) {
			e.end(err)
			return
		}
		told = nil
		if errors.Is(err, errInherited) {
			continue // with the key that it has now
		}
		if pace.wait(ctx, e.life) != nil {
			return
		}
	}
}

// watchKeyOnce returns nil when the key is gone.
func (e *Entry) watchKeyOnce(ctx context.Context, p *place, told chan<- int64) error {
	own := e.hold(p)
	known := e.rev // as of when the key was as the entry put it
	if own.heir != nil {
		known = 0
	}
	s, err := p.Line.lookOut(ctx, etcd.Key(own.key), known)
	if err != nil {
		if told != nil {
			told <- 0 // from now on this looks for itself
		}
		return err
	}
	defer p.Line.keepSight(s)
	var reason *Breaking
	switch {
	case told != nil:
		told <- s.seen
	case s.seen > known:
		// Now that the watch is live: has it happened before?
		r, err := e.s.Client().Get(ctx, etcd.Key(own.key))
		if err != nil {
			return err
		}
		kv, ok := r.First()
		if !ok || kv.CreateRevision != own.rev {
			return e.ignoreLoss(e.missing(p, own))
		}
		if e.changed(p, own, kv) {
			return nil
		}
		reason, known = breaking(kv), r.Header.Revision
	}
	for {
		evs, err := s.next(ctx)
		if err != nil {
			return err
		}
		for _, ev := range evs {
			switch {
			case ev.KV.ModRevision <= known:
			case e.life.Err() != nil: // it is leaving
				return nil
			case ev.Type == etcd.EventDelete || ev.KV.CreateRevision != own.rev:
				if reason == nil && p.Rule.Handover {
					return e.ignoreLoss(e.missing(p, own))
				}
				e.lost(reason)
				return nil
			case e.changed(p, own, ev.KV):
				return nil
			default:
				reason = breaking(ev.KV)
			}
		}
	}
}

// breaking gives the reason that stands in a contender's value when it is
// broken.
func breaking(kv etcd.KV) *Breaking {
	var n Note
	if json.Unmarshal(kv.Value, &n) != nil {
		return nil
	}
	return n.Broken
}

// history looks for the reason in what happened to the key before it was
// watched.
func (e *Entry) history(p *place) *Breaking {
	e.gone.Store(true)
	ctx, cancel := context.WithTimeout(e.life, inquest)
	defer cancel()
	own := e.hold(p)
	w, err := e.s.Client().Watch(ctx, etcd.Key(own.key), etcd.FromRevision(own.rev+1))
	if err != nil {
		return nil
	}
	defer w.Close()
	var reason *Breaking
	for {
		evs, err := w.Next(ctx)
		if err != nil {
			return nil
		}
		for _, ev := range evs.Events {
			if ev.Type == etcd.EventDelete || ev.KV.CreateRevision != own.rev {
				return reason
			}
			reason = breaking(ev.KV)
		}
	}
}

// lost ends the entry's life because a key of it is gone, and gives the cause.
// A revoked lease takes its keys along before the session hears of it, so that
// is asked; what can't be found out counts as a deletion.
func (e *Entry) lost(reason *Breaking) error {
	if mutant.LockKeepsContext {
		e.gone.Store(false)
		return ErrDeleted
	}
	e.gone.Store(true)
	if reason != nil {
		e.end(&BrokenError{*reason})
		return context.Cause(e.life)
	}
	ctx, cancel := context.WithTimeout(e.life, inquest)
	defer cancel()
	cause := error(ErrDeleted)
	if _, err := e.s.Client().TimeToLive(ctx, e.s.Lease()); errors.Is(err, etcd.ErrLeaseNotFound) {
		cause = etcd.ErrSessionRevoked
	}
	e.end(cause)
	return context.Cause(e.life)
}

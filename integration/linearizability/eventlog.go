package linearizability

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/quorate/quorate/etcd"
)

// An eventLog is what etcd itself tells of the keys of a history: every change,
// by a watch that began before the first call and ended after the last. It
// settles the fate of calls of unknown outcome, which would otherwise have to
// be tried at every place and in every order, and that takes for ever where a
// fault hits many at once. It can only take explanations away from a history:
// one that was not illegal without it may be with it, never the other way.
type eventLog struct {
	deleted map[deletion]bool
}

// A deletion is a key that was deleted at a revision.
type deletion struct {
	revision int64
	key      int
}

// endMark is a key that is no key of the history and ends its log.
const endMark = "~"

// readLog reads the log of the history that is over. It tells h where values
// were written.
func (w *caller) readLog(ctx context.Context, events *etcd.Watcher, h *history) error {
	// Whether a mark of unknown outcome was made does not matter: another
	// follows.
	for {
		_, err := w.c.Put(ctx, w.prefix+endMark, nil)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
	}
	log := &eventLog{deleted: map[deletion]bool{}}
	for {
		batch, err := events.Next(ctx)
		if err != nil {
			return err
		}
		for _, ev := range batch.Events {
			switch {
			case strings.HasSuffix(ev.KV.Key, endMark):
				h.log = log
				return nil
			case ev.Type == etcd.EventDelete:
				log.deleted[deletion{ev.KV.ModRevision, w.index(ev.KV.Key)}] = true
			default:
				var v int
				if json.Unmarshal(ev.KV.Value, &v) != nil {
					v = -1 // nobody wrote that
				}
				h.see(v, ev.KV.ModRevision)
			}
		}
	}
}

// effective gives the calls of h without those of unknown outcome of which the
// log shows that they changed nothing.
func (l *eventLog) effective(h *history) []porcupine.Operation {
	ops := slices.Clone(h.ops)
	if l == nil {
		return ops
	}
	// Deletions nobody was told of. Two calls of one commit never touch the
	// same key, so one that was told of it is the one that did it.
	mystery := map[deletion]bool{}
	for d := range l.deleted {
		mystery[d] = true
	}
	for _, o := range ops {
		call := o.Input.(txn)
		for _, k := range call.deleted(told(o)) {
			delete(mystery, deletion{told(o).Revision, k})
		}
	}
	return slices.DeleteFunc(ops, func(o porcupine.Operation) bool {
		call := o.Input.(txn)
		if !told(o).Unknown || call.writtenAt(h.seen) > 0 {
			return false
		}
		for d := range mystery {
			if call.mayDelete(d.key) {
				return false
			}
		}
		return true
	})
}

// deleted gives the keys that t may have deleted, by what it was told: a
// deletion that found nothing changed no revision, and is none.
func (t *txn) deleted(o *outcome) (out []int) {
	ps := t.Then
	if !o.Succeeded {
		ps = t.Else
	}
	for i, r := range o.Results {
		switch p := ps[i]; {
		case p.Kind == nest:
			out = append(out, p.Txn.deleted(r.Txn)...)
		case p.Kind == del && r.Deleted > 0:
			out = append(out, p.Key)
		case p.Kind == delAll && r.Deleted > 0:
			for k := range keys {
				out = append(out, k)
			}
		}
	}
	return out
}

// mayDelete reports whether t deletes a key in one of its branches.
func (t *txn) mayDelete(key int) bool {
	for _, ps := range [][]op{t.Then, t.Else} {
		for _, p := range ps {
			if p.Kind == delAll || p.Kind == del && p.Key == key || p.Kind == nest && p.Txn.mayDelete(key) {
				return true
			}
		}
	}
	return false
}

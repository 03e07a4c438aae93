package line

import (
	"context"

	"github.com/quorate/quorate/etcd"
)

// look reads the line as far as the entry's rule needs it.
func (e *Entry) look(ctx context.Context, p *place, pace *pacer) error {
	limit := p.window()
	if limit != 0 {
		limit += 2 // for its own key, and for one that is no contender's
	}
	if p.view.rev != 0 && !p.view.whole && p.Rule.Kind == Reader {
		limit = 0 // the window showed nothing but readers
	}
	opts := []etcd.GetOption{
		etcd.WithSort(etcd.ByCreateRevision, etcd.Descending), etcd.WithLimit(limit),
	}
	if p.Rule.Kind != Permits { // the settings may be newer than the entry
		opts = append(opts, etcd.WithCreateRevisions(0, e.rev))
	}
	for {
		r, err := e.s.Client().Get(ctx, p.Line.set(), opts...)
		if err != nil {
			if err = e.retry(ctx, err, pace); err != nil {
				return err
			}
			continue
		}
		mine := false
		for _, kv := range r.KVs {
			mine = mine || kv.Key == p.key && kv.CreateRevision == e.rev
		}
		if !mine {
			return e.missing(p, hold{p.key, e.rev, nil})
		}
		p.view = p.readView(r, e.rev)
		return nil
	}
}

// retry waits before something is tried again that failed with err. It gives
// an error if there is no use in trying.
func (e *Entry) retry(ctx context.Context, err error, pace *pacer) error {
	if !transient(err) || ctx.Err() != nil {
		return err
	}
	return pace.wait(ctx, e.life)
}

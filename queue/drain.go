package queue

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
)

// goOnPurging removes what purges have taken out of the line, whoever began
// them. Positions are never filled again, so several may do it at once.
func (q *core) goOnPurging(ctx context.Context) error {
	var errs []error
	for kv, err := range q.c.List(ctx, etcd.Prefix(q.keys.purges())) {
		if err != nil {
			return err
		}
		rec, err := decodeRecord(kv.Key, kv.Value)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, r := range rec.Runs {
			if _, err := q.drain(ctx, rec.Priority, r, nil); err != nil {
				return err
			}
		}
		if _, err := q.repeat(ctx, etcd.Txn{Then: []etcd.Op{etcd.Delete(etcd.Key(kv.Key))}}); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

const (
	drainPage    = 500
	drainUniques = 40 // unique keys freed in one commit
)

// drain removes the jobs of a run, as long as what must hold does: errMoved, if
// it does not.
func (q *core) drain(ctx context.Context, p int, r run, must []etcd.Cmp) (int, error) {
	n := 0
	for r.len() > 0 {
		set := q.keys.span(p, r)
		res, err := q.c.Get(ctx, set, etcd.WithLimit(drainPage))
		if errors.Is(err, etcd.ErrBadReply) { // too large at once
			res, err = q.c.Get(ctx, set, etcd.WithLimit(1))
		}
		if err == nil {
			err = onlyOf(set, res.KVs)
		}
		if err != nil {
			return n, err
		}
		if len(res.KVs) == 0 {
			return n, nil
		}
		var jobs run // the first and behind the last of the page
		var release []etcd.Op
		end, count := r[0], 0
		for _, kv := range res.KVs {
			end = q.keys.behind(kv.Key)
			_, pos, ok := q.keys.position(kv.Key)
			if !ok {
				continue
			}
			if count++; count == 1 {
				jobs[0] = pos
			}
			jobs[1] = pos + 1
			if env, err := decodeEnvelope(kv.Value); err == nil {
				release = append(release, q.releaseUnique(env)...)
			}
			if len(release) == drainUniques {
				break
			}
		}
		if r[0] = end; count == 0 {
			continue
		}
		var try attempts
		done, err, _ := try.send(ctx, q.c, etcd.Txn{If: must, Then: append([]etcd.Op{etcd.Delete(q.keys.exactly(p, jobs))}, release...)})
		if err != nil {
			return n, err
		}
		if !done.Succeeded && !try.doubt() {
			return n, errMoved
		}
		n += count
		if !done.Succeeded {
			return n, errMoved
		}
	}
	return n, nil
}

// purgeFull removes ready jobs from an etcd that is full, by deletions alone:
// they are removed behind the head where they stand, as long as it stands.
func (q *core) purgeFull(ctx context.Context) (int, error) {
	n := 0
	err := again(ctx, func() error {
		s, err := q.look(ctx)
		if err != nil {
			return err
		}
		for p := range levels {
			r := run{s.head.Next[p], s.tail.Next[p]}
			did, err := q.drain(ctx, p, r, []etcd.Cmp{etcd.IfModRevision(etcd.Key(q.keys.head()), etcd.Equal, s.head.mod)})
			n += did
			if err != nil {
				return err
			}
		}
		for _, h := range s.free {
			for _, r := range h.rec.Runs {
				did, err := q.drain(ctx, h.rec.Priority, r, []etcd.Cmp{etcd.IfModRevision(etcd.Key(h.key), etcd.Equal, h.mod)})
				n += did
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return n, err
	}
	inbox, err := q.purgeInbox(ctx)
	return n + inbox, err
}

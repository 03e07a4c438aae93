package queue

import (
	"context"
	"errors"
	"strconv"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// taking says under what condition a record is taken from its owner.
type taking struct {
	owner       string
	dead        bool // only if the owner's presence is gone
	maxAttempts int  // of a suspect; 0: there is no bound
}

// takeAll takes all records of a consumer over and tells how many there were.
// Once its presence is gone no claim of it can land any more, so one listing is
// complete.
func (q *core) takeAll(ctx context.Context, how taking) (int, error) {
	n := 0
	var errs []error
	for kv, err := range q.c.List(ctx, etcd.Prefix(q.keys.claimsOf(how.owner))) {
		if err != nil {
			return n, err
		}
		did, err := q.takeOver(ctx, kv, how)
		if errors.Is(err, ErrDamaged) { // the others first
			errs = append(errs, err)
			continue
		}
		if err != nil {
			return n, err
		}
		n += b2i(did)
	}
	return n, errors.Join(errs...)
}

// takeOver takes one record from its owner. Its jobs become suspect, in a record
// without an owner; but one that crashed alone, and has no attempts left,
// becomes a dead letter. It reports whether it did it: false, if somebody else
// was first, or the owner. If the record is still there, but it or its job is not
// as it was read, because something of the owner's came late, it is read anew.
func (q *core) takeOver(ctx context.Context, kv etcd.KV, how taking) (did bool, err error) {
	err = again(ctx, func() error {
		now, err := q.takeOverAs(ctx, kv, how, &did)
		if errors.Is(err, etcd.ErrTooLarge) && how.maxAttempts > 0 {
			q.leaveAlone(kv.Key, err)
			how.maxAttempts = 0 // it stays a suspect
			return errMoved
		}
		if err == nil && now != nil && now.CreateRevision == kv.CreateRevision {
			kv = *now
			return errMoved
		}
		return err
	})
	return did, err
}

// takeOverAs takes a record over if it is as it was read; otherwise it gives the
// record as it is, if it is there.
func (q *core) takeOverAs(ctx context.Context, kv etcd.KV, how taking, did *bool) (*etcd.KV, error) {
	rec, err := decodeRecord(kv.Key, kv.Value)
	if err != nil {
		return nil, err
	}
	t := etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(etcd.Key(kv.Key), etcd.Equal, kv.ModRevision)},
		Then: []etcd.Op{etcd.Delete(etcd.Key(kv.Key))},
		Else: []etcd.Op{etcd.Get(etcd.Key(kv.Key)), etcd.Get(etcd.Key(q.keys.consumer(how.owner)), etcd.KeysOnly())},
	}
	if how.dead && !mutant.QueueTakesFromLiving {
		t.If = append(t.If, etcd.Missing(etcd.Key(q.keys.consumer(how.owner))))
	}
	died := false
	if (rec.Alone || mutant.QueueBlamesNeighbours) && how.maxAttempts > 0 {
		if died, err = q.bury(ctx, &t, rec, how); err != nil {
			return nil, err
		}
	}
	if !died {
		next := newRecord(rec.Priority, rec.Runs, rec.Crashes+1)
		put := etcd.Put(q.keys.free(rec.Priority, rec.Runs[0][0], strconv.FormatInt(kv.ModRevision, 16)), next.encode())
		if len(rec.Runs) == 1 { // if nothing is left of it, it is only removed
			put = etcd.Nest(etcd.Txn{If: []etcd.Cmp{etcd.Exists(q.keys.span(rec.Priority, rec.Runs[0]))}, Then: []etcd.Op{put}})
		}
		t.Then = append(t.Then, put)
	}
	var try attempts
	res, err, _ := try.send(ctx, q.c, t)
	if err != nil {
		return nil, full(err)
	}
	if res.Succeeded {
		q.log.Warn("queue claim was taken over", "queue", q.name, "consumer", how.owner, "jobs", size(rec.Runs), "crashes", rec.Crashes+1, "dead", died)
	}
	*did = res.Succeeded
	if !res.Succeeded {
		now, there := res.Results[0].Get.First()
		_, alive := res.Results[1].Get.First()
		switch {
		case there && how.dead && alive:
			return nil, nil
		case there:
			return &now, nil
		}
		*did = try.doubt()
	}
	return nil, nil
}

// bury completes t for a suspect that crashed alone: if it has no attempts left,
// it becomes a dead letter in the commit that removes the record.
func (q *core) bury(ctx context.Context, t *etcd.Txn, rec record, how taking) (bool, error) {
	first := rec.Runs[0]
	res, err := q.c.Get(ctx, q.keys.span(rec.Priority, run{first[0], first[0] + 1}))
	if err != nil {
		return false, err
	}
	kv, ok := res.First()
	if !ok {
		return false, nil
	}
	env, err := decodeEnvelope(kv.Value)
	if err != nil {
		env = unreadable(rec.Priority, first[0], kv, err)
	}
	if env.Attempts += rec.Crashes + 1; env.Attempts < how.maxAttempts {
		return false, nil
	}
	reason := "its consumer " + how.owner + " died with it, and with nothing else"
	if !how.dead {
		reason = "its consumer " + how.owner + " had it alone for longer than a claim may last"
	}
	env.die(reason, byCrash)
	key := q.keys.dead(env.Died, env.ID)
	t.If = append(t.If, etcd.IfModRevision(etcd.Key(kv.Key), etcd.Equal, kv.ModRevision))
	t.Then = append(t.Then, etcd.Delete(etcd.Key(kv.Key)), etcd.Put(key, env.encode()), etcd.Put(q.keys.at(env.ID), []byte(key)))
	t.Then = append(t.Then, q.releaseUnique(env)...)
	return true, nil
}

// reclaim takes all claims of a consumer away, as an operator does, who may not know
// how many attempts the consumers allow.
func (q *core) reclaim(ctx context.Context, consumer string) (int, error) {
	if err := q.open(ctx); err != nil {
		return 0, err
	}
	if !validID(consumer) {
		return 0, ErrNotFound
	}
	return q.takeAll(ctx, taking{owner: consumer})
}

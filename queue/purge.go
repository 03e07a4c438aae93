package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/quorate/quorate/etcd"
)

// purge removes jobs in a state.
func (q *core) purge(ctx context.Context, state State, which []Selection) (int, error) {
	sel, err := selecting(which)
	switch {
	case err != nil:
		return 0, err
	case state != Ready && state != Delayed && state != Dead:
		return 0, fmt.Errorf("jobs that are %v cannot be purged", state)
	case state == Ready && sel.all():
		return q.purgeReady(ctx)
	case state == Ready && sel.byID:
		return q.purgeOneByOne(ctx, sel)
	case state == Ready:
		return q.purgeSelected(ctx, sel)
	}
	return q.purgeExact(ctx, state, sel)
}

// purgeDead removes dead letters.
func (q *core) purgeDead(ctx context.Context, sel selector) (int, error) {
	return q.purgeExact(ctx, Dead, sel)
}

// purgeOneByOne removes ready jobs that were named, as Cancel does.
func (q *core) purgeOneByOne(ctx context.Context, sel selector) (int, error) {
	n := 0
	err := q.selected(ctx, Ready, sel, func(j Job) error {
		err := again(ctx, func() error {
			err := q.remove(ctx, j)
			if errors.Is(err, errMoved) {
				// Claimed, or only the head has moved.
				if j, err = q.get(ctx, j.ID); err == nil && j.State != Ready {
					return ErrClaimed
				}
				if err == nil {
					return errMoved
				}
			}
			return err
		})
		switch {
		case err == nil:
			n++
		case errors.Is(err, ErrClaimed), errors.Is(err, ErrNotFound):
			err = nil
		}
		return err
	})
	return n, err
}

// purgePage is how many exact keys are removed together.
const purgePage = 25

// purgeExact removes jobs that stand under keys of their own.
func (q *core) purgeExact(ctx context.Context, state State, sel selector) (int, error) {
	var page []Job
	done := 0
	send := func() error {
		if len(page) == 0 {
			return nil
		}
		var t etcd.Txn
		for i := range page {
			t.Then = append(t.Then, q.exactly(&page[i]))
		}
		var try attempts
		res, err, _ := try.send(ctx, q.c, t)
		if err != nil {
			return err
		}
		var gone []Job
		for i, r := range res.Results {
			if done += b2i(r.Txn.Succeeded); !r.Txn.Succeeded && try.doubt() {
				gone = append(gone, page[i])
			}
		}
		page = nil
		n, _, _, err := q.removed(ctx, gone, try.err)
		done += n
		return err
	}
	err := q.selected(ctx, state, sel, func(j Job) error {
		if page = append(page, j); len(page) < purgePage {
			return nil
		}
		return send()
	})
	if err == nil {
		err = send()
	}
	return done, err
}

// exactly removes a job outside the log if it is there as it was read.
func (q *core) exactly(j *Job) etcd.Op {
	key := etcd.Key(j.key)
	return etcd.Nest(etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, j.mod)},
		Then: append([]etcd.Op{etcd.Delete(key)}, q.leftBehind(j)...),
	})
}

// purgeReady takes everything out of the line at once, and then removes it.
func (q *core) purgeReady(ctx context.Context) (int, error) {
	n, err := q.passHead(ctx)
	if errors.Is(err, etcd.ErrNoSpace) {
		return q.purgeFull(ctx)
	}
	if err != nil {
		return 0, err
	}
	freed, err := q.purgeFree(ctx)
	n += freed
	if err != nil {
		return n, err
	}
	inbox, err := q.purgeInbox(ctx)
	n += inbox
	return n, errors.Join(err, q.goOnPurging(ctx))
}

// passHead moves the head to the tail. What it passes over is noted below
// purge/, so that whoever comes goes on removing it. In a queue that is busy both
// move all the time, so it is tried again at once with what the refusal shows.
func (q *core) passHead(ctx context.Context) (int, error) {
	if err := q.open(ctx); err != nil {
		return 0, err
	}
	headKey, tailKey := etcd.Key(q.keys.head()), etcd.Key(q.keys.tail())
	res, err := q.c.Txn(ctx, etcd.Txn{Then: []etcd.Op{etcd.Get(headKey), etcd.Get(tailKey)}})
	if err != nil {
		return 0, err
	}
	name := nonce(6)
	var on [2]int64 // the revisions that were compared last
	for {
		headKV, ok := res.Results[0].Get.First()
		head, err := q.sawHead(headKV, ok)
		if err != nil {
			return 0, err
		}
		tailKV, ok := res.Results[1].Get.First()
		tail, err := q.sawTail(tailKV, ok)
		if err != nil {
			return 0, err
		}
		if on == [2]int64{head.mod, tail.mod} {
			return 0, contradiction(q.keys.head())
		}
		on = [2]int64{head.mod, tail.mod}
		next := head
		next.Next = tail.Next
		ops, n := q.notes(name, head, tail)
		if n == 0 {
			return 0, nil
		}
		var try attempts
		res, err, _ = try.send(ctx, q.c, etcd.Txn{
			If: []etcd.Cmp{
				etcd.IfModRevision(headKey, etcd.Equal, head.mod), etcd.IfModRevision(tailKey, etcd.Equal, tail.mod),
			},
			Then: append(ops, etcd.Put(q.keys.head(), next.encode(time.Now()))),
			Else: []etcd.Op{etcd.Get(headKey), etcd.Get(tailKey), etcd.Get(etcd.Prefix(q.keys.purges()+name), etcd.KeysOnly())},
		})
		if err != nil {
			return 0, err
		}
		if res.Succeeded {
			q.movedHead(next, res.Header.Revision)
			return n, nil
		}
		// An attempt without an answer arrived before, or never will. Its notes
		// tell, unless somebody has cleared up behind them: then there is nothing
		// left of it to do either.
		if _, there := res.Results[2].Get.First(); there {
			return n, nil
		}
	}
}

// notes says what is between head and tail, to be put below purge/, and how many
// positions that are.
func (q *core) notes(name string, head, tail cursorKV) (ops []etcd.Op, n int) {
	for p := range levels {
		if r := (run{head.Next[p], tail.Next[p]}); r.len() > 0 {
			n += int(r.len())
			ops = append(ops, etcd.Put(q.keys.purges()+name+"-"+strconv.Itoa(p), newRecord(p, []run{r}, 0).encode()))
		}
	}
	return ops, n
}

// purgeFree removes the records without an owner, and notes what they held.
func (q *core) purgeFree(ctx context.Context) (int, error) {
	s, err := q.look(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, h := range s.free {
		key := etcd.Key(h.key)
		note := q.keys.purges() + nonce(6)
		res, err := q.repeat(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, h.mod)},
			Then: []etcd.Op{etcd.Delete(key), etcd.Put(note, h.rec.encode())},
			Else: []etcd.Op{etcd.Get(etcd.Key(note), etcd.KeysOnly())},
		})
		if err != nil {
			return n, err
		}
		did := res.Succeeded
		if !did { // by an attempt before, whose reply was lost?
			_, did = res.Results[0].Get.First()
		}
		if did {
			n += int(size(h.rec.Runs))
		}
	}
	return n, nil
}

// purgeInbox removes the jobs of EnqueueOp that are not in the log yet.
func (q *core) purgeInbox(ctx context.Context) (int, error) {
	r := readyRemoval{q: q}
	for kv, err := range q.c.List(ctx, etcd.Prefix(q.keys.inbox())) {
		if err != nil {
			return r.done, err
		}
		env, err := decodeEnvelope(kv.Value)
		if err != nil {
			continue // a promotion makes a dead letter of it
		}
		if r.page = append(r.page, env.job(Ready, kv.Key, kv.ModRevision)); len(r.page) == readyPage {
			if err := r.send(ctx); err != nil {
				return r.done, err
			}
		}
	}
	err := r.send(ctx)
	return r.done, err
}

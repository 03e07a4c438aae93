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
	case state == Ready:
		return q.purgeOneByOne(ctx, sel)
	}
	return q.purgeExact(ctx, state, sel)
}

// purgeDead removes dead letters.
func (q *core) purgeDead(ctx context.Context, sel selector) (int, error) {
	return q.purgeExact(ctx, Dead, sel)
}

// purgeOneByOne removes ready jobs as Cancel does.
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
	var page []etcd.Op
	done := 0
	send := func() error {
		if len(page) == 0 {
			return nil
		}
		var try attempts
		res, err, _ := try.send(ctx, q.c, etcd.Txn{Then: page})
		if err != nil {
			return err
		}
		for _, r := range res.Results {
			done += b2i(r.Txn.Succeeded || try.doubt())
		}
		page = nil
		return nil
	}
	err := q.selected(ctx, state, sel, func(j Job) error {
		page = append(page, q.exactly(&j))
		if len(page) < purgePage {
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
	n := 0
	err := again(ctx, func() error {
		moved, err := q.passHead(ctx)
		n += moved
		return err
	})
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
// purge/, so that whoever comes goes on removing it.
func (q *core) passHead(ctx context.Context) (int, error) {
	s, err := q.look(ctx)
	if err != nil {
		return 0, err
	}
	next := s.head
	next.Next = s.tail.Next
	headKey, tailKey := etcd.Key(q.keys.head()), etcd.Key(q.keys.tail())
	name := nonce(6)
	t := etcd.Txn{
		If: []etcd.Cmp{
			etcd.IfModRevision(headKey, etcd.Equal, s.head.mod), etcd.IfModRevision(tailKey, etcd.Equal, s.tail.mod),
		},
		Else: []etcd.Op{etcd.Get(etcd.Prefix(q.keys.purges()+name), etcd.KeysOnly())},
	}
	n := 0
	for p := range levels {
		r := run{s.head.Next[p], s.tail.Next[p]}
		if r.len() > 0 {
			n += int(r.len())
			t.Then = append(t.Then, etcd.Put(q.keys.purges()+name+"-"+strconv.Itoa(p), newRecord(p, []run{r}, 0).encode()))
		}
	}
	if n == 0 {
		return 0, nil
	}
	t.Then = append(t.Then, etcd.Put(q.keys.head(), next.encode(time.Now())))
	var try attempts
	res, err, _ := try.send(ctx, q.c, t)
	switch {
	case err != nil:
		return 0, err
	case res.Succeeded:
		q.movedHead(next, res.Header.Revision)
		return n, nil
	case try.doubt():
		// Did it arrive? Its notes tell, unless somebody has cleared up behind
		// them; then there is nothing left of it to do either, and it is looked
		// at anew.
		if _, there := res.Results[0].Get.First(); there {
			return n, nil
		}
	}
	return 0, errMoved
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
		res, err := q.repeat(ctx, etcd.Txn{
			If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, h.mod)},
			Then: []etcd.Op{etcd.Delete(key), etcd.Put(q.keys.purges()+nonce(6), h.rec.encode())},
		})
		if err != nil {
			return n, err
		}
		if res.Succeeded {
			n += int(size(h.rec.Runs))
		}
	}
	return n, nil
}

// purgeInbox removes the jobs of EnqueueOp that are not in the log yet.
func (q *core) purgeInbox(ctx context.Context) (int, error) {
	n := 0
	for kv, err := range q.c.List(ctx, etcd.Prefix(q.keys.inbox())) {
		if err != nil {
			return n, err
		}
		env, err := decodeEnvelope(kv.Value)
		if err != nil {
			continue // a promotion makes a dead letter of it
		}
		j := env.job(Ready, kv.Key, kv.ModRevision)
		res, err := q.repeat(ctx, etcd.Txn{Then: []etcd.Op{q.exactly(&j)}})
		if err != nil {
			return n, err
		}
		n += b2i(res.Results[0].Txn.Succeeded)
	}
	return n, nil
}

package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/quorate/quorate/etcd"
)

// get finds a job by its id. It looks everywhere as of one revision: a job that
// moves meanwhile is not missed.
func (q *core) get(ctx context.Context, id string) (Job, error) {
	if q.bad != nil {
		return Job{}, q.bad
	}
	if !validID(id) {
		return Job{}, ErrNotFound
	}
	var j Job
	err := anew(ctx, func() error {
		s, err := q.look(ctx)
		if err == nil {
			j, err = q.getFrom(ctx, s, id)
		}
		return err
	})
	return j, err
}

// getFrom finds a job as of the revision of s.
func (q *core) getFrom(ctx context.Context, s *sight, id string) (j Job, err error) {
	j, found, err := q.find(ctx, s, id)
	if err != nil || found {
		return j, err
	}
	// It moved to another position: promotion, redrive or another try.
	w := walk{q: q, ctx: ctx, s: s, yield: func(one Job, e error) bool {
		switch {
		case errors.Is(e, ErrDamaged):
		case e != nil:
			err = e
		case one.ID == id:
			j, found = one, true
		}
		return !found && err == nil
	}}
	if w.ready(); !found && err == nil {
		w.claimed()
	}
	if err == nil && !found {
		err = ErrNotFound
	}
	return j, err
}

// find looks where a job of that id stands without a search.
func (q *core) find(ctx context.Context, s *sight, id string) (Job, bool, error) {
	k, then := q.keys, etcd.WithRevision(s.rev)
	ops := []etcd.Op{etcd.Get(etcd.Key(k.at(id)), then), etcd.Get(etcd.Key(k.inbox()+id), then)}
	p, pos, straight := positionOf(id)
	if straight {
		ops = append(ops, etcd.Get(etcd.Key(k.job(p, pos)), then))
	}
	res, err := q.c.Txn(ctx, etcd.Txn{Then: ops})
	if err != nil {
		return Job{}, false, err
	}
	if at, ok := res.Results[0].Get.First(); ok {
		got, err := q.c.Get(ctx, etcd.Key(string(at.Value)), then)
		if err != nil {
			return Job{}, false, err
		}
		state := Delayed
		if strings.HasPrefix(string(at.Value), k.deads()) {
			state = Dead
		}
		if j, ok, err := read(got, id, state); ok || err != nil {
			return j, ok, err
		}
	}
	if j, ok, err := read(res.Results[1].Get, id, Ready); ok || err != nil {
		return j, ok, err
	}
	if !straight {
		return Job{}, false, nil
	}
	j, ok, err := read(res.Results[2].Get, id, Ready)
	if err != nil || !ok {
		return Job{}, false, nil // another's position
	}
	switch h, held := s.holder(p, pos); {
	case held:
		h.dress(&j)
	case pos < s.head.Next[p] && len(s.problems) == 0:
		return Job{}, false, nil // purged, only not removed yet
	}
	return j, true, nil
}

// read makes a job of what was read, if it is the one looked for.
func read(res *etcd.GetResult, id string, state State) (Job, bool, error) {
	kv, ok := res.First()
	if !ok {
		return Job{}, false, nil
	}
	env, err := decodeEnvelope(kv.Value)
	if err != nil {
		return Job{}, false, damaged(kv.Key, "holds no job: %v", err)
	}
	return env.job(state, kv.Key, kv.ModRevision), env.ID == id, nil
}

// positionOf reads the position out of the id of a job that went straight into
// the log.
func positionOf(id string) (p int, pos int64, ok bool) {
	if len(id) < 4 || id[0] < '0' || id[0] > '9' || id[1] != '-' {
		return 0, 0, false
	}
	hex, _, found := strings.Cut(id[2:], "-")
	pos, err := strconv.ParseInt(hex, 16, 64)
	return int(id[0] - '0'), pos, found && err == nil && pos >= 0 && pos < maxPosition
}

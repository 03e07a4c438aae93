package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/quorate/quorate/etcd"
)

// get finds a job by its id.
func (q *core) get(ctx context.Context, id string) (Job, error) {
	if q.bad != nil {
		return Job{}, q.bad
	}
	if !validID(id) {
		return Job{}, ErrNotFound
	}
	s, err := q.look(ctx)
	if err != nil {
		return Job{}, err
	}
	if j, ok, err := q.find(ctx, s, id); err != nil || ok {
		return j, err
	}
	// It moved to another position: promotion, redrive or another try.
	for _, state := range []State{Ready, Claimed} {
		for j, err := range q.list(ctx, state) {
			if errors.Is(err, ErrDamaged) {
				continue
			}
			if err != nil {
				return Job{}, err
			}
			if j.ID == id {
				return j, nil
			}
		}
	}
	// It may have moved while it was looked for: ready or claimed, then delayed
	// or dead.
	if j, ok, err := q.find(ctx, s, id); err != nil || ok {
		return j, err
	}
	return Job{}, ErrNotFound
}

// find looks where a job of that id stands without a search.
func (q *core) find(ctx context.Context, s *sight, id string) (Job, bool, error) {
	k := q.keys
	ops := []etcd.Op{etcd.Get(etcd.Key(k.at(id))), etcd.Get(etcd.Key(k.inbox() + id))}
	p, pos, straight := positionOf(id)
	if straight {
		ops = append(ops, etcd.Get(etcd.Key(k.job(p, pos)), etcd.WithRevision(s.rev)))
	}
	res, err := q.c.Txn(ctx, etcd.Txn{Then: ops})
	if err != nil {
		return Job{}, false, err
	}
	if at, ok := res.Results[0].Get.First(); ok {
		got, err := q.c.Get(ctx, etcd.Key(string(at.Value)))
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
	if h, held := s.holder(p, pos); held {
		h.dress(&j)
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

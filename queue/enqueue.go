package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

const (
	// MaxJobBytes is how large a job can be, its headers and keys included.
	MaxJobBytes = 1 << 20
	// MaxBatch is how many jobs an EnqueueMany can have.
	MaxBatch = 3000
)

// envelope makes a job of a value.
func (q *Queue[T]) envelope(v T, opts []EnqueueOption) (*envelope, error) {
	if q.bad != nil {
		return nil, q.bad
	}
	env, err := template(opts)
	if err != nil {
		return nil, err
	}
	if env.payload, err = q.codec.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	env.ID = q.newID()
	if n := len(env.encode()); n > MaxJobBytes {
		return nil, fmt.Errorf("%w: a job of %d bytes", ErrTooLarge, n)
	}
	return &env, nil
}

// enqueue adds jobs, all or none.
func (q *Queue[T]) enqueue(ctx context.Context, op string, vs []T, opts []EnqueueOption) ([]string, error) {
	u, err := q.newUnit(vs, opts)
	if err == nil {
		err = q.submit(ctx, u)
	}
	if err != nil {
		return nil, q.fail(op, err)
	}
	ids := make([]string, len(u.jobs))
	for i := range u.jobs {
		ids[i] = u.jobs[i].ID
	}
	return ids, nil
}

// newUnit makes what an Enqueue or EnqueueMany asks for.
func (q *Queue[T]) newUnit(vs []T, opts []EnqueueOption) (*unit, error) {
	if q.bad != nil {
		return nil, q.bad
	}
	common, err := template(opts)
	if err != nil {
		return nil, err
	}
	if len(vs) > 1 && common.Unique != "" {
		return nil, errors.New("several jobs cannot have one unique key")
	}
	u := &unit{jobs: make([]envelope, len(vs)), fresh: true, claims: common.Unique != ""}
	for i, v := range vs {
		e := &u.jobs[i]
		*e = common
		if e.payload, err = q.codec.Encode(v); err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		if e.Due != 0 {
			e.ID = q.newID()
		}
		u.bytes += q.estimate(e)
	}
	u.measure()
	switch {
	case u.bytes > MaxJobBytes:
		return nil, fmt.Errorf("%w: %d jobs of %d bytes, which is more than %d", ErrTooLarge, len(vs), u.bytes, MaxJobBytes)
	case u.ops > maxOps:
		return nil, fmt.Errorf("%w: %d jobs take %d operations, which is more than %d", ErrTooLarge, len(vs), u.ops, maxOps)
	}
	return u, nil
}

// estimate is about how many bytes a job takes in a request.
func (q *core) estimate(e *envelope) int {
	n := 2*len(q.keys.data) + 160 + len(e.payload)
	if e.Due != 0 {
		n += 2*len(q.keys.data) + 160
	}
	if e.Unique != "" {
		n += 5 * (len(q.keys.data) + len(e.Unique) + 32)
	}
	if len(e.Headers) > 0 || e.LastError != "" || e.Reason != "" {
		b, _ := json.Marshal([]any{e.Headers, e.LastError, e.Reason}) // strings always marshal
		n += len(b)
	}
	return n
}

// inboxOp puts a job where consumers fetch it from.
func (q *core) inboxOp(e *envelope) etcd.Op {
	put := etcd.Put(q.keys.inbox()+e.ID, e.encode())
	if e.Unique == "" {
		return put
	}
	key := q.keys.unique(e.Unique, e.UniqueUntil)
	then := []etcd.Op{put, etcd.Put(key, []byte(e.ID))}
	if e.UniqueUntil != 0 {
		then = append(then, etcd.Put(q.keys.window(e.UniqueUntil, e.ID), []byte(key)))
	}
	return etcd.Nest(etcd.Txn{If: []etcd.Cmp{etcd.Missing(q.keys.occupied(e.Unique, time.Now().UnixMilli()))}, Then: then})
}

// fullPause is how long enqueues fail without a request after etcd has said that
// it is full.
const fullPause = time.Second

// submit has a unit carried out together with others.
func (q *core) submit(ctx context.Context, u *unit) error {
	if err := pace.Over(ctx); err != nil {
		return err
	}
	if err := q.open(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	refused := !q.refused.IsZero() && time.Since(q.refused) < fullPause
	q.mu.Unlock()
	if refused {
		return fmt.Errorf("%w: it said so less than %v ago", errors.Join(ErrFull, etcd.ErrNoSpace), fullPause)
	}
	return q.out.do(ctx, u)
}

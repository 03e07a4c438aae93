package lock

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A Semaphore is a number of permits that holders share: a description, as a
// Mutex is. Permits are given first come, first served: somebody who asks for
// many is not passed by others who ask for few.
//
// All parties must give the same limit. The first to use a name writes it down
// in etcd, where it stays; whoever comes with another gets an error that
// answers errors.Is for ErrMismatch and tells both numbers. Resize changes it.
type Semaphore struct {
	contest
	limit int64
}

// NewSemaphore describes the semaphore of that name, which has limit permits.
// It does no I/O.
func NewSemaphore(s *etcd.Session, name string, limit int64, opts ...Option) *Semaphore {
	m := &Semaphore{contest: newContest(s, name, opts), limit: limit}
	m.noQuarantine(opts)
	if m.err == nil && limit <= 0 {
		m.err = fmt.Errorf("the limit is not positive: %d", limit)
	}
	return m
}

// Acquire waits until weight permits are held. The handle stands for all of
// them. See Mutex.Acquire.
func (m *Semaphore) Acquire(ctx context.Context, weight int64) (*Handle, error) {
	return m.get(ctx, "acquire permits of", line.Acquire, weight)
}

// TryAcquire takes weight permits if there are enough left and nobody waits for
// permits. See Mutex.TryAcquire.
func (m *Semaphore) TryAcquire(ctx context.Context, weight int64) (*Handle, error) {
	return m.get(ctx, "try permits of", line.Try, weight)
}

// Do calls fn while it holds weight permits. See Mutex.Do.
func (m *Semaphore) Do(ctx context.Context, weight int64, fn func(ctx context.Context, h *Handle) error) error {
	h, err := m.Acquire(ctx, weight)
	if err != nil {
		return err
	}
	return h.do(ctx, fn)
}

// Weight is that many permits, for AcquireAll.
func (m *Semaphore) Weight(weight int64) Part {
	rule, err := m.rule(weight)
	c := *m.its()
	if c.err == nil && c.line != nil {
		c.err = err
	}
	return part{&c, rule}
}

func (m *Semaphore) get(ctx context.Context, op string, enter enter, weight int64) (*Handle, error) {
	rule, err := m.rule(weight)
	if m.its().wrong() == nil && err != nil {
		return nil, failed(op, m.name, err)
	}
	return m.its().acquire(ctx, op, enter, rule)
}

func (m *Semaphore) rule(weight int64) (line.Rule, error) {
	var err error
	var limit int64
	if m != nil {
		limit = m.limit
	}
	switch {
	case weight <= 0:
		err = fmt.Errorf("the number of permits is not positive: %d", weight)
	case weight > limit:
		err = fmt.Errorf("%d permits are more than the limit of %d", weight, limit)
	}
	return line.Rule{Kind: line.Permits, Weight: weight, Limit: limit}, err
}

// Resize changes the limit for all parties, and gives a description with the
// new one. From then on the old description, here and elsewhere, gets
// ErrMismatch: each party is to be told the new number. Those who hold permits
// keep them, also beyond a smaller limit; those who wait go by the new one, and
// whoever waits for more than that fails with ErrMismatch. Who got permits without
// a wait and holds more than a smaller limit has room for is shown among the
// waiters by State and Look: its key does not tell.
func (m *Semaphore) Resize(ctx context.Context, limit int64) (*Semaphore, error) {
	const op = "resize"
	if err := m.its().wrong(); err != nil {
		return nil, failed(op, m.its().name, err)
	}
	if limit <= 0 {
		return nil, failed(op, m.name, errors.New("the limit is not positive"))
	}
	if err := m.line.Resize(ctx, limit); err != nil {
		return nil, failed(op, m.name, err)
	}
	resized := *m
	resized.limit = limit
	return &resized, nil
}

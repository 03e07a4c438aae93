package lock

import (
	"context"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// An RWMutex is a lock that many readers can hold together, or one writer
// alone: a description, as a Mutex is. It is fair: a reader waits for every
// writer that came before it, whether that holds the lock or waits for it, and
// a writer for everybody that came before. So neither starves the other.
// Readers that wait for the same writer get in together.
//
// A Mutex of the same name is a writer to it.
type RWMutex struct{ contest }

// NewRW describes the read-write lock of that name. It does no I/O.
func NewRW(s *etcd.Session, name string, opts ...Option) *RWMutex {
	m := &RWMutex{newContest(s, name, opts)}
	m.noQuarantine(opts)
	return m
}

var (
	writing = line.Rule{Kind: line.Writer, Strict: true}
	reading = line.Rule{Kind: line.Reader}
)

// Acquire waits until the lock is held for writing. See Mutex.Acquire. The
// handle can be downgraded.
func (m *RWMutex) Acquire(ctx context.Context) (*Handle, error) {
	return writer(m.its().acquire(ctx, "acquire", line.Acquire, writing))
}

// TryAcquire takes the lock for writing if nobody holds it and nobody waits for
// it. See Mutex.TryAcquire.
func (m *RWMutex) TryAcquire(ctx context.Context) (*Handle, error) {
	return writer(m.its().acquire(ctx, "try", line.Try, writing))
}

// AcquireRead waits until the lock is held for reading. See Mutex.Acquire.
func (m *RWMutex) AcquireRead(ctx context.Context) (*Handle, error) {
	return m.its().acquire(ctx, "acquire reading", line.Acquire, reading)
}

// TryAcquireRead takes the lock for reading if no writer holds it or waits for
// it. See Mutex.TryAcquire.
func (m *RWMutex) TryAcquireRead(ctx context.Context) (*Handle, error) {
	return m.its().acquire(ctx, "try reading", line.Try, reading)
}

// Do calls fn while it holds the lock for writing. See Mutex.Do.
func (m *RWMutex) Do(ctx context.Context, fn func(ctx context.Context, h *Handle) error) error {
	h, err := m.Acquire(ctx)
	if err != nil {
		return err
	}
	return h.do(ctx, fn)
}

// DoRead calls fn while it holds the lock for reading. See Mutex.Do.
func (m *RWMutex) DoRead(ctx context.Context, fn func(ctx context.Context, h *Handle) error) error {
	h, err := m.AcquireRead(ctx)
	if err != nil {
		return err
	}
	return h.do(ctx, fn)
}

// writer makes a handle one that can be downgraded: its context is its own, so
// that it can end before the entry's does.
func writer(h *Handle, err error) (*Handle, error) {
	if err != nil {
		return nil, err
	}
	h.ctx, h.end = context.WithCancelCause(h.entry.Context())
	return h, nil
}

// Writer is the lock's writing side, for AcquireAll.
func (m *RWMutex) Writer() Part { return part{m.its(), writing} }

// Reader is the lock's reading side, for AcquireAll.
func (m *RWMutex) Reader() Part { return part{m.its(), reading} }

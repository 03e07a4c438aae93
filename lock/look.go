package lock

import (
	"context"

	"github.com/quorate/quorate/internal/line"
)

// State reads who holds the lock and who waits for it.
func (m *Mutex) State(ctx context.Context) (*State, error) { return m.its().state(ctx) }

// Holder tells who holds the lock. If nobody does, the error answers errors.Is for
// ErrNotHeld.
func (m *Mutex) Holder(ctx context.Context) (Contender, error) { return m.its().holder(ctx) }

// Waiters tells who waits for the lock, in the order of the line.
func (m *Mutex) Waiters(ctx context.Context) ([]Contender, error) { return m.its().waiters(ctx) }

// Break takes the lock away from the contender with that token; see the function
// Break.
func (m *Mutex) Break(ctx context.Context, token int64, reason string) (Contender, error) {
	return m.its().breakOne(ctx, token, reason)
}

// State reads who holds the lock and who waits for it.
func (m *RWMutex) State(ctx context.Context) (*State, error) { return m.its().state(ctx) }

// Holder tells who holds the lock; of several, who has held it longest. If nobody
// does, the error answers errors.Is for ErrNotHeld.
func (m *RWMutex) Holder(ctx context.Context) (Contender, error) { return m.its().holder(ctx) }

// Waiters tells who waits for the lock, in the order of the line.
func (m *RWMutex) Waiters(ctx context.Context) ([]Contender, error) { return m.its().waiters(ctx) }

// Break takes the lock away from the contender with that token; see the function
// Break.
func (m *RWMutex) Break(ctx context.Context, token int64, reason string) (Contender, error) {
	return m.its().breakOne(ctx, token, reason)
}

// State reads who holds permits and who waits for them.
func (m *Semaphore) State(ctx context.Context) (*State, error) { return m.its().state(ctx) }

// Holder tells who has held permits longest. If nobody holds any, the error
// answers errors.Is for ErrNotHeld.
func (m *Semaphore) Holder(ctx context.Context) (Contender, error) { return m.its().holder(ctx) }

// Waiters tells who waits for permits, in the order of the line.
func (m *Semaphore) Waiters(ctx context.Context) ([]Contender, error) { return m.its().waiters(ctx) }

// Break takes the permits away from the contender with that token; see the
// function Break.
func (m *Semaphore) Break(ctx context.Context, token int64, reason string) (Contender, error) {
	return m.its().breakOne(ctx, token, reason)
}

// state reads who holds the lock and who waits for it.
func (c *contest) state(ctx context.Context) (*State, error) {
	if err := c.wrong(); err != nil {
		return nil, failed("look at", c.name, err)
	}
	roll, err := line.Call(ctx, c.line.Session().Client(), c.line.Prefix())
	if err != nil {
		return nil, failed("look at", c.name, err)
	}
	return state(c.name, roll), nil
}

// holder tells who holds the lock; of several, who has held it longest. If
// nobody does, the error answers errors.Is for ErrNotHeld.
func (c *contest) holder(ctx context.Context) (Contender, error) {
	s, err := c.state(ctx)
	if err != nil {
		return Contender{}, err
	}
	if len(s.Holders) == 0 {
		return Contender{}, failed("look at", c.name, ErrNotHeld)
	}
	return s.Holders[0], nil
}

// waiters tells who waits for the lock, in the order of the line.
func (c *contest) waiters(ctx context.Context) ([]Contender, error) {
	s, err := c.state(ctx)
	if err != nil {
		return nil, err
	}
	return s.Waiters, nil
}

// breakOne takes the lock away from the contender with that token; see the
// function Break.
func (c *contest) breakOne(ctx context.Context, token int64, reason string) (Contender, error) {
	if err := c.wrong(); err != nil {
		return Contender{}, failed("break", c.name, err)
	}
	return breakIn(ctx, c.line.Session().Client(), c.name, c.line.Prefix(), token, reason)
}

package lock

import (
	"context"
	"errors"
)

// Downgrade turns a lock that is held for writing into one that is held for
// reading, without letting it go in between, and gives the reader's handle.
// Readers that wait behind it get in at once. The token stays the same.
//
// The writer's handle ends before anybody gets in: its context, whose cause is
// ErrDowngraded, and its guard, which refuses from the commit on. If Downgrade
// fails, the writer's handle has ended all the same; the lock is still held
// until Release, and Downgrade may be called again.
//
// Only what RWMutex.Acquire and TryAcquire gave can be downgraded.
func (h *Handle) Downgrade(ctx context.Context) (*Handle, error) {
	const op = "downgrade"
	if !h.given() {
		return nil, failed(op, "", errNotGiven)
	}
	if h.end == nil {
		return nil, failed(op, h.name, errors.New("it is not held for writing by an RWMutex's Acquire"))
	}
	if err := h.Err(); err != nil && !errors.Is(err, ErrDowngraded) {
		return nil, err
	}
	h.mu.Lock()
	busy := h.state
	if busy == notDowngraded || busy == downgradeFailed {
		h.state = downgrading
	}
	h.mu.Unlock()
	switch busy {
	case downgrading:
		return nil, failed(op, h.name, errors.New("another call is downgrading it"))
	case downgraded:
		return nil, failed(op, h.name, ErrDowngraded)
	}
	h.end(ErrDowngraded)
	err := h.entry.Downgrade(ctx)
	state := downgraded
	if err != nil {
		state = downgradeFailed
	}
	h.mu.Lock()
	h.state = state
	h.mu.Unlock()
	switch {
	case err == nil:
		return &Handle{name: h.name, entry: h.entry, guard: h.entry.Presence(), ctx: h.entry.Context()}, nil
	case h.entry.Err() == nil || errors.Is(err, ErrReleased):
		return nil, failed(op, h.name, err)
	}
	return nil, lost(op, h.name, err)
}

func (h *Handle) downgradeState() downgrade {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

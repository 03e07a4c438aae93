package lock_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// TestWhateverBefallsAnyRequestOfAContender takes one request after the other
// of a contender's life, and lets every mishap happen to it, with the locks of
// every kind. Whatever the contender is told must be true, and afterwards the
// line goes on, with one holder and without orphans.
func TestWhateverBefallsAnyRequestOfAContender(t *testing.T) {
	for i, k := range kinds {
		for _, m := range mishaps {
			if linetest.UnderRace && i > 0 && !m.Telling {
				continue
			}
			for _, contended := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, contended %v", k.name, m.Name, contended), func(t *testing.T) {
					for step := 0; ; step++ {
						hit := false
						inBubble(t, func(w *world) { hit = w.suffer(k, m, step, contended) }, three...)
						if !hit {
							if step < 1 || step < 2 && !(k.try && contended) {
								t.Fatalf("the contender sent only %d requests", step)
							}
							break
						}
					}
				})
			}
		}
	}
}

// suffer runs a contender whose request number step suffers m. It reports
// whether there was such a request.
func (w *world) suffer(k kind, m linetest.Mishap, step int, contended bool) bool {
	other, v := w.At(0), w.Victim()
	a := &act{world: w, kind: k, v: v, m: m, made: k.mine(v.S)}
	var first *lock.Handle
	if contended {
		first = w.acquire(k.front(other))
	}
	return v.Befalls(m, step, func() { a.contend(v.Ctx, first, other) })
}

// contend is the contender's life, and that of whoever comes after it.
func (a *act) contend(ctx context.Context, first *lock.Handle, other *etcd.Session) {
	w := a.world
	c := w.start(ctx, a.made)
	var last int64
	if first != nil {
		time.Sleep(time.Second)
		w.release(first)
		last = first.Token()
	}
	var got acquired
	select {
	case got = <-c:
	case <-time.After(10 * time.Minute):
		w.Fatal("it waits for ever")
	}
	var stale []etcd.Cmp
	switch {
	case got.Err == nil:
		require.Greater(w, got.Got.Token(), last)
		last = got.Got.Token()
		stale = a.hold(ctx, got.Got, other)
	case a.try && first != nil && errors.Is(got.Err, lock.ErrHeld):
	default:
		a.m.Tolerates(w, got.Err)
	}
	// The line goes on, and the next holder is the only one.
	h := w.acquire(a.after(other))
	require.Greater(w, h.Token(), last)
	for _, g := range stale {
		require.False(w, w.guardedBy(other, g), "the guard of a stale holder lets a write through")
	}
	require.True(w, w.guardedBy(other, h.Guard()))
	w.release(h)
	time.Sleep(25 * time.Second) // late writes, and the janitor behind them
	require.Empty(w, w.standing(a.kind))
}

// hold is what the contender does with a lock that it has got. It gives the
// guards that it had.
func (a *act) hold(ctx context.Context, h *lock.Handle, other *etcd.Session) []etcd.Cmp {
	w := a.world
	stale := []etcd.Cmp{h.Guard()}
	time.Sleep(200 * time.Millisecond) // long enough to be watched
	if a.between != nil {
		next, err := a.between(ctx, h)
		if err == nil {
			require.False(w, w.guardedBy(other, stale[0]))
			h = next
			stale = append(stale, h.Guard())
		} else {
			a.m.Tolerates(w, err)
		}
	}
	good := w.guardedBy(other, h.Guard())
	w.Settle() // what has happened by then has been heard of
	err := h.Err()
	switch {
	case err == nil:
		require.True(w, good, "the guard is refused although the lock is held")
		_, err := a.after(other).TryAcquire(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld, "a second holder")
		require.NoError(w, h.Context().Err())
	case !errors.Is(err, lock.ErrDowngraded):
		a.m.Tolerates(w, err)
	}
	if err := h.Release(ctx); err != nil {
		a.m.Tolerates(w, err)
	}
	require.Error(w, h.Err())
	require.Error(w, h.Context().Err())
	return stale
}

package locks

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/lock"
)

// slots is how many can hold the semaphore of the test.
const slots = 3

// A room is what may be entered by so many at a time.
type room struct {
	mu     sync.Mutex
	in     map[*lock.Handle]bool
	limit  int
	last   int64 // greatest token of a room for one
	visits int
}

// enter notes a handle, and looks who else believes to be in.
func (r *room) enter(t *testing.T, h *lock.Handle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 1
	for other := range r.in {
		if other.Err() == nil {
			n++
		}
	}
	if h.Err() == nil && n > r.limit {
		t.Errorf("%d are in where %d may be", n, r.limit)
	}
	if r.limit == 1 {
		if h.Token() <= r.last {
			t.Errorf("token %d after %d", h.Token(), r.last)
		}
		r.last = h.Token()
	}
	r.in[h] = true
	r.visits++
}

func (r *room) visited() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.visits
}

func (r *room) leave(h *lock.Handle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.in, h)
}

func TestWhileMembersAreKilledPausedAndCutOffNobodyIsInBesideWhomItExcludes(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{Members: 3})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	alone := &room{in: map[*lock.Handle]bool{}, limit: 1}
	shared := &room{in: map[*lock.Handle]bool{}, limit: slots}
	var (
		wg      sync.WaitGroup
		writes  atomic.Int64
		refused atomic.Int64
	)
	for i := range 7 {
		w := worker{t: t, c: party.Troubled(t, cl, i%3), writes: &writes, refused: &refused}
		wg.Go(func() {
			if i < 4 {
				w.run(ctx, alone, func(s *etcd.Session) func(context.Context) (*lock.Handle, error) { return lock.New(s, "alone").Acquire })
			} else {
				w.run(ctx, shared, func(s *etcd.Session) func(context.Context) (*lock.Handle, error) {
					sem := lock.NewSemaphore(s, "shared", slots)
					return func(ctx context.Context) (*lock.Handle, error) { return sem.Acquire(ctx, 1) }
				})
			}
		})
	}
	wg.Go(func() { party.Trouble(ctx, t, cl) })
	party.Until(t, 14*time.Second, func() bool {
		return alone.visited() > 20 && shared.visited() > 20 && writes.Load() > 20
	})
	cancel()
	wg.Wait()
	t.Logf("%d visits alone, %d shared; %d writes, %d refused", alone.visits, shared.visits, writes.Load(), refused.Load())

	// etcd's own history has the last word: no write under an older token came
	// after one under a newer.
	require.NoError(t, cl.WaitReady(t.Context()))
	c := party.Client(t, cl.Endpoints()...)
	tokens := party.Written(t, c)
	require.GreaterOrEqual(t, len(tokens), int(writes.Load()))
	require.True(t, slices.IsSorted(tokens), "%v", tokens)
	// No orphan: when all sessions are closed or have run out nobody is left.
	party.InLine(t, c, lock.Root+"alone/", 0)
	party.InLine(t, c, lock.Root+"shared/", 1) // its settings
}

// worker enters a room again and again, with a client of its own.
type worker struct {
	t               *testing.T
	c               *etcd.Client
	writes, refused *atomic.Int64
}

func (w worker) run(ctx context.Context, r *room, ask func(*etcd.Session) func(context.Context) (*lock.Handle, error)) {
	c := w.c
	defer c.Close()
	for ctx.Err() == nil {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(party.TTL))
		if err != nil {
			continue
		}
		acquire := ask(s)
		for s.Err() == nil && ctx.Err() == nil {
			w.visit(ctx, c, r, acquire)
		}
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = s.Close(bye)
		cancel()
	}
}

func (w worker) visit(ctx context.Context, c *etcd.Client, r *room, acquire func(context.Context) (*lock.Handle, error)) {
	h, err := acquire(ctx)
	if err != nil {
		return
	}
	r.enter(w.t, h)
	if r.limit == 1 {
		work, cancel := context.WithTimeout(h.Context(), 2*time.Second)
		switch err := party.Write(work, c, h); err {
		case nil:
			w.writes.Add(1)
		case party.ErrRefused:
			w.refused.Add(1)
		}
		cancel()
	} else {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-h.Context().Done():
		}
	}
	r.leave(h)
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = h.Release(release)
}

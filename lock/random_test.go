package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// TestUnderRandomTroubleThereIsOneHolderAndTokensGrow lets workers with
// sessions of their own take a lock and write under its guard, while requests
// and replies are lost and members are paused, killed and cut off. With
// meddling, leases are revoked and keys deleted by hand, too: then two may
// believe that they hold until the event arrives, but the guard lets only one
// write.
func TestUnderRandomTroubleThereIsOneHolderAndTokensGrow(t *testing.T) {
	seeds := uint64(12)
	if linetest.UnderRace {
		seeds = 2
	}
	for seed := range seeds {
		meddling := seed%2 == 1
		t.Run(fmt.Sprintf("seed %d, meddling %v", seed, meddling), func(t *testing.T) {
			inTime(t, linetest.LatencyOf(seed), func(w *world) {
				r := w.trouble(seed, 1)
				r.Meddling = meddling
				r.Run(3*time.Minute, 5, r.work)
				r.check()
			}, three...)
		})
	}
}

// TestUnderRandomTroubleNobodyIsInBesideWhomItExcludes does the same with locks
// that several can hold: what those weigh who believe that they hold never
// exceeds what there is. Tokens say nothing here, those who share have them in
// any order.
func TestUnderRandomTroubleNobodyIsInBesideWhomItExcludes(t *testing.T) {
	for name, mk := range map[string]func(*etcd.Session, int) (trier, int){
		"readers and writers": func(s *etcd.Session, n int) (trier, int) {
			if n == 0 {
				return aWriter(s), capacity
			}
			return aReader(s), 1
		},
		"permits": func(s *etcd.Session, n int) (trier, int) {
			n = n%3 + 1
			return permits{lock.NewSemaphore(s, "licences", capacity), int64(n)}, n
		},
		"several": func(s *etcd.Session, n int) (trier, int) {
			sem := lock.NewSemaphore(s, "licences", capacity)
			switch n {
			case 0:
				return several{lock.New(s, "deploy"), sem.Weight(capacity)}, capacity
			case 1:
				return several{sem.Weight(3), lock.NewRW(s, "catalog").Writer()}, 3
			default:
				return several{lock.NewRW(s, "catalog").Reader(), sem.Weight(1)}, 1
			}
		},
	} {
		seeds := uint64(4)
		if linetest.UnderRace {
			seeds = 1
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				inTime(t, linetest.LatencyOf(seed), func(w *world) {
					r := w.trouble(seed, 2)
					r.mk = mk
					r.Run(2*time.Minute, capacity, r.work)
					require.Greater(t, r.shared, 0, "nobody ever shared")
					require.Greater(t, r.wins, 20, "too little happened to tell anything")
				}, three...)
			})
		}
	}
}

// capacity is what a lock that several can hold has to give, and how many ask.
const capacity = 5

type trouble struct {
	*linetest.Trouble
	// mk makes what is acquired, and its weight; nil means a mutex.
	mk func(s *etcd.Session, n int) (trier, int)

	mu     sync.Mutex
	holder *lock.Handle         // of a mutex: the last that got the lock
	in     map[*lock.Handle]int // otherwise: who got it and has not released it, and its weight
	shared int                  // how often somebody got in beside another
	wins   int
}

func (w *world) trouble(seed, stream uint64) *trouble {
	return &trouble{Trouble: linetest.NewTrouble(w.World, lock.Root, seed, stream)}
}

// work takes the lock again and again.
func (r *trouble) work(ctx context.Context, i int) {
	c := r.ClientOf(i)
	var s *etcd.Session
	for ctx.Err() == nil {
		if s == nil || s.Err() != nil {
			var err error
			if s, err = etcd.NewSession(ctx, c, etcd.WithTTL(5*time.Second)); err != nil {
				s = nil
				continue
			}
			defer func() { _ = s.Close(context.Background()) }()
		}
		if r.mk == nil {
			r.once(ctx, s, aMutex(s), 0)
		} else {
			m, weight := r.mk(s, r.IntN(4))
			r.once(ctx, s, m, weight)
		}
	}
}

func (r *trouble) once(ctx context.Context, s *etcd.Session, m trier, weight int) {
	wait, cancel := context.WithTimeout(ctx, r.UpTo(20*time.Second))
	defer cancel()
	acquire := m.Acquire
	if r.IntN(4) == 0 {
		acquire = m.TryAcquire
	}
	h, err := acquire(wait)
	if err != nil {
		r.expected(err)
		time.Sleep(r.UpTo(time.Second))
		return
	}
	r.won(h, weight)
	for range r.IntN(4) {
		work, cancel := context.WithTimeout(h.Context(), r.UpTo(3*time.Second))
		r.Write(work, s.Client(), h)
		cancel()
		time.Sleep(r.UpTo(500 * time.Millisecond))
	}
	if err := h.Err(); err != nil {
		r.expected(err)
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.UpTo(10*time.Second))
	defer cancel()
	r.mu.Lock()
	delete(r.in, h)
	r.mu.Unlock()
	_ = h.Release(release)
	if h.Err() == nil {
		r.Errorf("token %d: released, and still good", h.Token())
	}
}

// expected asserts that an error is one that trouble can lead to, or somebody's
// meddling if there is any.
func (r *trouble) expected(err error) {
	usual := []error{context.DeadlineExceeded, context.Canceled, lock.ErrHeld, etcd.ErrSessionExpired}
	if r.Meddling {
		usual = append(usual, etcd.ErrSessionRevoked, lock.ErrDeleted)
	}
	for _, u := range usual {
		if errors.Is(err, u) {
			return
		}
	}
	r.Errorf("unexpected: %v", err)
}

// won notes an acquisition, and looks who else believes that it holds.
func (r *trouble) won(h *lock.Handle, weight int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wins++
	if r.mk != nil {
		sum := weight
		for other, n := range r.in {
			if other.Err() == nil {
				sum += n
				r.shared++
			}
		}
		if h.Err() == nil && sum > capacity {
			r.Errorf("%d of %d are taken", sum, capacity)
		}
		if r.in == nil {
			r.in = map[*lock.Handle]int{}
		}
		r.in[h] = weight
		return
	}
	if last := r.holder; last != nil && !r.Meddling {
		if last.Token() >= h.Token() {
			r.Errorf("token %d after token %d", h.Token(), last.Token())
		}
		if last.Err() == nil {
			r.Errorf("two holders: %d and %d", last.Token(), h.Token())
		}
	}
	r.holder = h
}

// check looks at what was written, and at what is left.
func (r *trouble) check() {
	r.CheckWrites()
	// No orphans: once all is well the lock can be had.
	s := r.Session()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	h, err := lock.New(s, "deploy").Acquire(ctx)
	require.NoError(r, err)
	require.NoError(r, h.Release(ctx))
}

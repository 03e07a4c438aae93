package lock_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
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
			inTime(t, latencyOf(seed), func(w *world) {
				r := &trouble{world: w, rnd: rand.New(rand.NewPCG(seed, 1)), strict: !meddling}
				r.run(5, 3*time.Minute)
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
				inTime(t, latencyOf(seed), func(w *world) {
					r := &trouble{world: w, rnd: rand.New(rand.NewPCG(seed, 2)), strict: true, mk: mk}
					r.run(capacity, 2*time.Minute)
					require.Greater(t, r.shared, 0, "nobody ever shared")
					require.Greater(t, r.wins, 20, "too little happened to tell anything")
				}, three...)
			})
		}
	}
}

// capacity is what a lock that several can hold has to give, and how many ask.
const capacity = 5

// latencyOf has requests take time for half of the seeds, of each kind.
func latencyOf(seed uint64) time.Duration {
	if seed%4 == 1 || seed%4 == 2 {
		return linetest.Latency
	}
	return 0
}

type trouble struct {
	*world
	strict bool
	// mk makes what is acquired, and its weight; nil means a mutex.
	mk func(s *etcd.Session, n int) (trier, int)

	mu     sync.Mutex
	rnd    *rand.Rand
	holder *lock.Handle         // of a mutex: the last that got the lock
	in     map[*lock.Handle]int // otherwise: who got it and has not released it, and its weight
	shared int                  // how often somebody got in beside another
	wins   int
	writes int
}

func (r *trouble) intn(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rnd.IntN(n)
}

func (r *trouble) upTo(d time.Duration) time.Duration {
	return time.Duration(r.intn(int(d/time.Millisecond))+1) * time.Millisecond
}

func (r *trouble) run(workers int, long time.Duration) {
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { r.work(ctx, i) })
	}
	wg.Go(func() { r.disturb(ctx) })
	wg.Wait()
}

// work takes the lock again and again.
func (r *trouble) work(ctx context.Context, i int) {
	c := r.Client(func(cfg *etcd.Config) {
		urls := r.Srv.URLs()
		cfg.Endpoints = append(urls[i%len(urls):len(urls):len(urls)], urls[:i%len(urls)]...)
		cfg.AttemptTimeout = time.Second
	})
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
			m, weight := r.mk(s, r.intn(4))
			r.once(ctx, s, m, weight)
		}
	}
}

func (r *trouble) once(ctx context.Context, s *etcd.Session, m trier, weight int) {
	wait, cancel := context.WithTimeout(ctx, r.upTo(20*time.Second))
	defer cancel()
	acquire := m.Acquire
	if r.intn(4) == 0 {
		acquire = m.TryAcquire
	}
	h, err := acquire(wait)
	if err != nil {
		time.Sleep(r.upTo(time.Second))
		return
	}
	r.won(h, weight)
	for range r.intn(4) {
		work, cancel := context.WithTimeout(h.Context(), r.upTo(3*time.Second))
		res, err := s.Client().Txn(work, etcd.Txn{
			If:   []etcd.Cmp{h.Guard()},
			Then: []etcd.Op{etcd.Put("protected", []byte(strconv.FormatInt(h.Token(), 10)))},
		})
		cancel()
		if err == nil && res.Succeeded {
			r.mu.Lock()
			r.writes++
			r.mu.Unlock()
		}
		time.Sleep(r.upTo(500 * time.Millisecond))
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.upTo(10*time.Second))
	defer cancel()
	r.mu.Lock()
	delete(r.in, h)
	r.mu.Unlock()
	_ = h.Release(release)
	if h.Err() == nil {
		r.Errorf("token %d: released, and still good", h.Token())
	}
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
	if last := r.holder; last != nil && r.strict {
		if last.Token() >= h.Token() {
			r.Errorf("token %d after token %d", h.Token(), last.Token())
		}
		if last.Err() == nil {
			r.Errorf("two holders: %d and %d", last.Token(), h.Token())
		}
	}
	r.holder = h
}

// disturb lets one thing after the other go wrong, and heals it after a while.
func (r *trouble) disturb(ctx context.Context) {
	for ctx.Err() == nil {
		i := r.intn(3)
		long := r.upTo(8 * time.Second)
		switch kind := r.intn(10); {
		case kind == 0:
			r.Srv.Pause(i)
			time.Sleep(long)
			r.Srv.Resume(i)
		case kind == 1:
			r.Srv.Kill(i)
			time.Sleep(long)
			r.Srv.Restart(i)
		case kind == 2:
			r.Srv.Partition(i)
			time.Sleep(long)
			r.Srv.Heal(i)
		case kind == 3:
			r.Srv.DropWatches()
		case kind == 4:
			_ = r.Srv.Compact(r.Srv.Revision())
		case kind == 5:
			late := make(chan struct{})
			in := r.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1 + r.intn(3), Late: late})
			time.Sleep(long)
			in.Remove()
			close(late)
		case kind <= 7:
			f := etcdtest.Fault{Times: 1 + r.intn(5), LoseRequest: kind == 6, LoseReply: kind == 7}
			in := r.Srv.Inject(f)
			time.Sleep(long / 4)
			in.Remove()
		case !r.strict && kind == 8:
			if keys := r.Srv.Keys(lock.Root); len(keys) > 0 {
				r.Srv.Delete(keys[r.intn(len(keys))])
			}
		case !r.strict && kind == 9:
			if ls := r.Srv.Leases(); len(ls) > 0 {
				r.Srv.RevokeLease(ls[r.intn(len(ls))].ID)
			}
		}
		time.Sleep(r.upTo(2 * time.Second))
	}
}

// check looks at what was written, in the order it was committed.
func (r *trouble) check() {
	last, n := int64(0), 0
	for _, ev := range r.Srv.Events() {
		kv := ev.KV
		if kv.Key != "protected" {
			continue
		}
		token, err := strconv.ParseInt(string(kv.Value), 10, 64)
		require.NoError(r, err)
		require.GreaterOrEqual(r, token, last, "a write under an older token came after one under a newer")
		last, n = token, n+1
	}
	require.GreaterOrEqual(r, n, r.writes)
	require.Greater(r, r.writes, 10, "too little happened to tell anything")
	// No orphans: once all is well the lock can be had.
	s := r.Session()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	h, err := lock.New(s, "deploy").Acquire(ctx)
	require.NoError(r, err)
	r.release(h)
}

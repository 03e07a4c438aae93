package sequence_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

// Workers of several processes take numbers in every way, while requests and
// replies are lost, members are paused, killed and cut off, and history is
// compacted.
func TestUnderRandomTroubleNumbersAreUniqueAndInRealTimeOrder(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inTime(t, time.Duration(seed%2)*someLatency, func(w *world) {
				r := &trouble{world: w, rnd: rand.New(rand.NewPCG(seed, 7)), got: make(map[int64]bool)}
				r.run(40 * time.Second)
				r.check()
			}, three...)
		})
	}
}

type trouble struct {
	*world
	mu      sync.Mutex
	rnd     *rand.Rand
	got     map[int64]bool
	strict  int64 // the greatest strict number that was returned
	took    map[string]int
	unknown int
}

func (r *trouble) intn(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rnd.IntN(n)
}

func (r *trouble) upTo(d time.Duration) time.Duration {
	return time.Duration(1+r.intn(int(d/time.Millisecond))) * time.Millisecond
}

func (r *trouble) run(long time.Duration) {
	r.took = make(map[string]int)
	r.srv.Inject(etcdtest.Fault{Delay: 2 * time.Millisecond})
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	for p := range 3 {
		urls := r.srv.URLs()
		c := r.client(func(cfg *etcd.Config) {
			cfg.Endpoints = append(urls[p:len(urls):len(urls)], urls[:p]...)
			cfg.AttemptTimeout = time.Second
		})
		s := sequence.New(c, "x")
		for range 2 {
			wg.Go(func() { r.work(ctx, s) })
		}
		wg.Go(func() { r.cached(ctx, s) })
	}
	wg.Go(func() { r.disturb(ctx) })
	wg.Wait()
}

// note takes down numbers that were returned by a call that began when strict
// was the greatest.
func (r *trouble) note(kind string, began int64, numbers ...int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range numbers {
		if r.got[n] {
			r.Errorf("%d was given out twice (%s)", n, kind)
		}
		r.got[n] = true
		if kind == "cached" {
			continue
		}
		if n <= began {
			r.Errorf("%s: %d came after %d", kind, n, began)
		}
		r.strict = max(r.strict, n)
	}
	r.took[kind]++
}

func (r *trouble) began() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.strict
}

func (r *trouble) failed(err error) {
	if errors.Is(err, etcd.ErrUnknownOutcome) {
		r.mu.Lock()
		r.unknown++
		r.mu.Unlock()
	}
}

func (r *trouble) work(ctx context.Context, s *sequence.Sequence) {
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, r.upTo(4*time.Second))
		began := r.began()
		switch r.intn(3) {
		case 0:
			if n, err := s.Next(call); err == nil {
				r.note("next", began, n)
			} else {
				r.failed(err)
			}
		case 1:
			if g, err := s.NextN(call, int64(1+r.intn(5))); err == nil {
				var all []int64
				for n := range g.All() {
					all = append(all, n)
				}
				r.note("nextn", began, all...)
			} else {
				r.failed(err)
			}
		case 2:
			n, res, err := s.NextIn(call, func(n int64) etcd.Txn {
				return etcd.Txn{Then: []etcd.Op{put("in/"+strconv.FormatInt(n, 10), "")}, Else: []etcd.Op{put("never", "")}}
			})
			if err != nil {
				r.failed(err)
				break
			}
			if !res.Succeeded {
				r.Errorf("a condition that always holds did not")
			}
			if _, there := r.srv.Get("in/" + strconv.FormatInt(n, 10)); !there {
				r.Errorf("%d was taken without its transaction", n)
			}
			r.note("in", began, n)
		}
		cancel()
		time.Sleep(r.upTo(200 * time.Millisecond))
	}
}

func (r *trouble) cached(ctx context.Context, s *sequence.Sequence) {
	for ctx.Err() == nil {
		c := s.Cached(int64(1 + r.intn(10)))
		for range r.intn(20) {
			call, cancel := context.WithTimeout(ctx, r.upTo(2*time.Second))
			if n, err := c.Next(call); err == nil {
				r.note("cached", 0, n)
			}
			cancel()
			time.Sleep(r.upTo(100 * time.Millisecond))
		}
		shut, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.upTo(3*time.Second))
		_ = c.Close(shut)
		cancel()
	}
}

func (r *trouble) disturb(ctx context.Context) {
	for ctx.Err() == nil {
		i, long := r.intn(3), r.upTo(3*time.Second)
		switch kind := r.intn(8); kind {
		case 0:
			r.srv.Pause(i)
			time.Sleep(long)
			r.srv.Resume(i)
		case 1:
			r.srv.Kill(i)
			time.Sleep(long)
			r.srv.Restart(i)
		case 2:
			r.srv.Partition(i)
			time.Sleep(long)
			r.srv.Heal(i)
		case 3:
			_ = r.srv.Compact(r.srv.Revision())
		case 4, 5:
			late := make(chan struct{})
			in := r.srv.Inject(txns(etcdtest.Fault{Times: 1 + r.intn(3), Late: late}))
			time.Sleep(long)
			in.Remove()
			close(late)
		default:
			in := r.srv.Inject(etcdtest.Fault{Times: 1 + r.intn(5), LoseRequest: kind == 6, LoseReply: kind == 7})
			time.Sleep(long / 4)
			in.Remove()
		}
		time.Sleep(r.upTo(time.Second))
	}
}

func (r *trouble) check() {
	time.Sleep(time.Minute) // whatever is late
	_, there := r.srv.Get("never")
	require.False(r, there)
	for _, kind := range []string{"next", "nextn", "in", "cached"} {
		require.Greater(r, r.took[kind], 20, "too little happened to tell anything: %v", r.took)
	}
	for _, key := range r.srv.Keys("in/") {
		n, err := strconv.ParseInt(key[len("in/"):], 10, 64)
		require.NoError(r, err)
		if !r.got[n] && r.unknown == 0 {
			r.Errorf("%d was taken, and nobody was told", n)
		}
	}
	n := r.next(r.open("x"))
	require.False(r, r.got[n])
	require.Greater(r, n, r.strict)
}

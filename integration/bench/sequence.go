package main

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/sequence"
)

func init() {
	scenarios = append(scenarios,
		scenario{name: "sequence-64", unit: "numbers/s", better: "higher", must: 100, aim: 250, ours: ourSequence(1, 64), peer: peerSequence(1, 64)},
		scenario{name: "sequence-procs", unit: "numbers/s", better: "higher", must: 20, aim: 60, ours: ourSequence(8, 8), peer: peerSequence(8, 8)},
		scenario{name: "sequence-cached", unit: "numbers/s", better: "higher", must: 5e6, aim: 20e6, ours: ourCached(8)},
	)
}

// ourSequence lets goroutines of several clients, as of so many processes, take
// strict numbers of one sequence.
func ourSequence(clients, each int) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		var (
			all      []*etcd.Client
			counters []func() int64
			seqs     []*sequence.Sequence
		)
		for range clients {
			c, requests, err := ourClient(endpoints)
			if err != nil {
				return nil, err
			}
			all, counters = append(all, c), append(counters, requests)
			seqs = append(seqs, sequence.New(c, "bench"+strconv.Itoa(clients)))
		}
		return &side{workers: clients * each,
			requests: func() (n int64) {
				for _, f := range counters {
					n += f()
				}
				return n
			},
			close: func() {
				for _, c := range all {
					_ = c.Close()
				}
			},
			call: func(ctx context.Context, w, _ int) error {
				_, err := seqs[w%clients].Next(ctx)
				return err
			}}, nil
	}
}

// peerSequence does the same with a counter in the client's software
// transactional memory.
func peerSequence(clients, each int) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		var all []*clientv3.Client
		for range clients {
			c, err := peerClient(endpoints)
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		}
		key := "peer/sequence" + strconv.Itoa(clients)
		return &side{workers: clients * each,
			close: func() {
				for _, c := range all {
					_ = c.Close()
				}
			},
			call: func(ctx context.Context, w, _ int) error {
				_, err := concurrency.NewSTM(all[w%clients], func(stm concurrency.STM) error {
					n, _ := strconv.ParseInt(stm.Get(key), 10, 64) // empty at first
					stm.Put(key, strconv.FormatInt(n+1, 10))
					return nil
				}, concurrency.WithAbortContext(ctx))
				return err
			}}, nil
	}
}

// cachedBlock is the size of the blocks, cachedRound how long a run lasts.
const (
	cachedBlock = 10_000
	cachedRound = time.Second
)

// ourCached lets goroutines take numbers from blocks. It times the whole and
// not each call: reading the clock takes longer than a number.
func ourCached(workers int) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		c, _, err := ourClient(endpoints)
		if err != nil {
			return nil, err
		}
		seq := sequence.New(c, "bench-cached")
		return &side{close: func() { _ = c.Close() }, once: func(ctx context.Context) (sample, error) {
			cached := seq.Cached(cachedBlock)
			defer cached.Close(ctx) //nolint:errcheck // what is left over may be lost
			var (
				wg    sync.WaitGroup
				stop  atomic.Bool
				total atomic.Int64
				fail  atomic.Pointer[error]
			)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			timer := time.AfterFunc(cachedRound, func() { stop.Store(true) })
			defer timer.Stop()
			for range workers {
				wg.Go(func() {
					n := int64(0)
					for !stop.Load() {
						for range 64 {
							if _, err := cached.Next(ctx); err != nil {
								failed := err // or each err would be on the heap
								fail.Store(&failed)
								return
							}
						}
						n += 64
					}
					total.Add(n)
				})
			}
			wg.Wait()
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			if err := fail.Load(); err != nil {
				return sample{}, *err
			}
			n := float64(total.Load())
			return sample{value: n / took.Seconds(), allocs: float64(after.Mallocs-before.Mallocs) / n}, nil
		}}, nil
	}
}

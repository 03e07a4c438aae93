package main

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

func init() {
	scenarios = append(scenarios,
		scenario{name: "lock-free-64", unit: "locks/s", better: "higher", must: 1.5, aim: 2.5, ours: ourLocks(64, false), peer: peerLocks(64, false)},
		scenario{name: "lock-hot-2", unit: "locks/s", better: "higher", must: 25, aim: 40, ours: ourLocks(2, true), peer: peerLocks(2, true)},
		scenario{name: "lock-hot-16", unit: "locks/s", better: "higher", must: 4, aim: 6, ours: ourLocks(16, true), peer: peerLocks(16, true)},
		scenario{name: "lock-handover", unit: "ms", better: "lower", must: 0.5, aim: 0.25, ours: ourHandover, peer: peerHandover},
	)
}

// lockName is the lock of a worker: the same for all where it is hot.
func lockName(worker int, hot bool) string {
	if hot {
		return "bench-hot"
	}
	return fmt.Sprintf("bench-%03d", worker)
}

// ourLocks lets workers acquire and release: each its own lock, or, hot, one
// lock with a session for each worker.
func ourLocks(workers int, hot bool) setup {
	return func(ctx context.Context, endpoints []string) (*side, error) {
		c, requests, err := ourClient(endpoints)
		if err != nil {
			return nil, err
		}
		var sessions []*etcd.Session
		var locks []*lock.Mutex
		for w := range workers {
			if hot || w == 0 {
				s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
				if err != nil {
					return nil, err
				}
				sessions = append(sessions, s)
			}
			locks = append(locks, lock.New(sessions[len(sessions)-1], lockName(w, hot)))
		}
		return &side{workers: workers, requests: requests,
			close: func() { closeAll(c, sessions) },
			call: func(ctx context.Context, w, _ int) error {
				h, err := locks[w].Acquire(ctx)
				if err != nil {
					return err
				}
				return h.Release(ctx)
			}}, nil
	}
}

func closeAll(c *etcd.Client, sessions []*etcd.Session) {
	for _, s := range sessions {
		_ = s.Close(context.Background())
	}
	_ = c.Close()
}

// peerLocks does the same with the concurrency package. Its mutexes need a
// session of their own only where they are the same lock.
func peerLocks(workers int, hot bool) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		c, err := peerClient(endpoints)
		if err != nil {
			return nil, err
		}
		var sessions []*concurrency.Session
		var locks []*concurrency.Mutex
		for w := range workers {
			if hot || w == 0 {
				s, err := concurrency.NewSession(c, concurrency.WithTTL(60))
				if err != nil {
					return nil, err
				}
				sessions = append(sessions, s)
			}
			locks = append(locks, concurrency.NewMutex(sessions[len(sessions)-1], "peer/"+lockName(w, hot)))
		}
		return &side{workers: workers,
			close: func() {
				for _, s := range sessions {
					_ = s.Close()
				}
				_ = c.Close()
			},
			call: func(ctx context.Context, w, _ int) error {
				if err := locks[w].Lock(ctx); err != nil {
					return err
				}
				return locks[w].Unlock(ctx)
			}}, nil
	}
}

// settle is how long a waiter has waited before it is handed the lock: longer
// than the 100 ms after which the server serves a watch that began in the past.
const settle = 250 * time.Millisecond

// handover measures how long it takes from one's release to the other's
// acquisition; acquire gives what releases it.
func handover(ctx context.Context, rounds int, acquire [2]func(context.Context) (func(context.Context) error, error)) (sample, error) {
	type got struct {
		release func(context.Context) error
		at      time.Time
		err     error
	}
	release, err := acquire[0](ctx)
	if err != nil {
		return sample{}, err
	}
	var times []time.Duration
	if isQuick(ctx) {
		rounds = min(rounds, 4)
	}
	for i := range rounds {
		next := make(chan got, 1)
		go func() {
			r, err := acquire[(i+1)%2](ctx)
			next <- got{r, time.Now(), err}
		}()
		time.Sleep(settle)
		begin := time.Now()
		err := release(ctx)
		n := <-next
		if err != nil || n.err != nil {
			return sample{}, fmt.Errorf("release: %v, acquire: %v", err, n.err)
		}
		times = append(times, n.at.Sub(begin))
		release = n.release
	}
	if err := release(ctx); err != nil {
		return sample{}, err
	}
	s := sampleOf(times)
	s.value = milliseconds(s.p50)
	return s, nil
}

const handovers = 12

func ourHandover(ctx context.Context, endpoints []string) (*side, error) {
	c, requests, err := ourClient(endpoints)
	if err != nil {
		return nil, err
	}
	var sessions []*etcd.Session
	var acquire [2]func(context.Context) (func(context.Context) error, error)
	for i := range acquire {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute))
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
		m := lock.New(s, "bench-handover")
		acquire[i] = func(ctx context.Context) (func(context.Context) error, error) {
			h, err := m.Acquire(ctx)
			if err != nil {
				return nil, err
			}
			return h.Release, nil
		}
	}
	return &side{requests: requests, close: func() { closeAll(c, sessions) },
		once: func(ctx context.Context) (sample, error) { return handover(ctx, handovers, acquire) }}, nil
}

func peerHandover(_ context.Context, endpoints []string) (*side, error) {
	c, err := peerClient(endpoints)
	if err != nil {
		return nil, err
	}
	var sessions []*concurrency.Session
	var acquire [2]func(context.Context) (func(context.Context) error, error)
	for i := range acquire {
		s, err := concurrency.NewSession(c, concurrency.WithTTL(60))
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
		m := concurrency.NewMutex(s, "peer/bench-handover")
		acquire[i] = func(ctx context.Context) (func(context.Context) error, error) {
			return m.Unlock, m.Lock(ctx)
		}
	}
	return &side{
		close: func() {
			for _, s := range sessions {
				_ = s.Close()
			}
			_ = c.Close()
		},
		once: func(ctx context.Context) (sample, error) { return handover(ctx, handovers, acquire) }}, nil
}

package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// storms tests f for some seeds, with latencies from a millisecond to 100.
func storms(t *testing.T, seeds int, f func(t *World, some *storm)) {
	t.Helper()
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := &World{t, []time.Duration{1, 10, 100}[seed%3] * time.Millisecond, way{true, true}}
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			f(w, &storm{rnd: rand.New(rand.NewPCG(uint64(seed), 1))})
		})
	}
}

// A storm is what happens by chance to many goroutines.
type storm struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func (s *storm) n(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rnd.IntN(n)
}

func (s *storm) upTo(d time.Duration) time.Duration { return time.Duration(s.n(int(d) + 1)) }

func TestWatchesThatComeAndGoWhileConnectionsBreakLeaveNothingBehind(t *testing.T) {
	storms(t, 30, func(t *World, some *storm) {
		srv := t.Start()
		c := newTestClient(t, srv)
		var all sync.WaitGroup
		var mu sync.Mutex
		open := map[*Watcher]string{}
		for g := range 6 {
			all.Go(func() {
				for i := range 12 {
					time.Sleep(some.upTo(40 * time.Millisecond))
					patience := time.Minute
					if some.n(2) == 0 {
						patience = some.upTo(6 * t.Latency)
					}
					var opts []WatchOption
					if some.n(3) == 0 {
						opts = append(opts, FromRevision(1))
					}
					key := fmt.Sprint("k/", g, "/", i)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					w, err := c.Watch(ctx, Key(key), opts...)
					cancel()
					switch {
					case err != nil && !errors.Is(err, context.DeadlineExceeded):
						t.Errorf("watch %s: %v", key, err)
					case err != nil:
					case some.n(2) == 0:
						w.Close()
					default:
						mu.Lock()
						open[w] = key
						mu.Unlock()
					}
					srv.Put("other", nil)
				}
			})
		}
		for range some.n(4) {
			time.Sleep(some.upTo(300 * time.Millisecond))
			srv.DropWatches()
		}
		all.Wait()
		for _, key := range open {
			srv.Put(key, nil)
		}
		time.Sleep(15 * time.Second) // connections that flapped are made after pauses
		require.Equal(t, len(open), srv.Watches())
		for w := range open {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			events, err := w.Next(ctx)
			cancel()
			require.NoError(t, err)
			require.Len(t, events.Events, 1)
		}
		before := srv.Requests()
		time.Sleep(time.Minute)
		for path, n := range srv.Requests() {
			if path == "/v3/kv/range" {
				require.LessOrEqual(t, n-before[path], 31, "one connection is checked")
			} else {
				require.Equal(t, before[path], n, path)
			}
		}
	})
}

func TestAClientClosedInTheMiddleOfAnythingEndsItAtOnce(t *testing.T) {
	storms(t, 24, func(t *World, some *storm) {
		srv := t.Start(etcdtest.WithMembers(2))
		c, err := New(Config{Endpoints: srv.URLs(), Dial: srv.Dial})
		require.NoError(t, err)
		ctx := context.Background()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				for round := 0; ; round++ {
					s, err := NewSession(ctx, c, WithTTL(3*time.Second))
					if err == nil {
						s.Abandon(fmt.Sprint("a/", i), nil)
						var w *Watcher
						if w, err = c.Watch(ctx, Prefix("x")); err == nil {
							_, err = c.KeepAlive(ctx, s.Lease())
						}
						if err == nil && round%2 == 0 {
							err = s.Close(ctx)
							w.Close()
						}
					}
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		time.Sleep(some.upTo(10 * t.Latency))
		if some.n(3) == 0 {
			srv.Pause(0)
		}
		time.Sleep(some.upTo(10 * t.Latency))
		begun := time.Now()
		require.NoError(t, c.Close())
		all.Wait()
		require.Zero(t, time.Since(begun))
		srv.Resume(0)
	})
}

func TestLateWritesAreRemovedHoweverTheyComeAndTheSessionClosesAtOnce(t *testing.T) {
	storms(t, 24, func(t *World, some *storm) {
		srv := t.Start()
		c := newTestClient(t, srv)
		s := newTestSession(t, c)
		for i := range 20 {
			key := fmt.Sprint("line/", i)
			release := make(chan struct{})
			late := srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Late: release})
			ctx, cancel := context.WithTimeout(t.Context(), t.Slack(1)+some.upTo(200*time.Millisecond))
			_, err := c.Put(ctx, key, []byte("nonce"), WithLease(s.Lease()))
			cancel()
			require.ErrorIs(t, err, ErrUnknownOutcome)
			late.Remove()
			s.Abandon(key, []byte("nonce"))
			time.Sleep(some.upTo(400 * time.Millisecond))
			close(release)
			if some.n(4) == 0 {
				srv.DropWatches()
			}
		}
		time.Sleep(time.Second + t.Slack(20))
		require.Empty(t, srv.Keys(""))
		require.NoError(t, s.Err())
		begun := time.Now()
		require.NoError(t, s.Close(t.Context()))
		require.LessOrEqual(t, time.Since(begun), t.Slack(2))
		require.Empty(t, srv.Leases())
	})
}

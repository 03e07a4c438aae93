package etcd_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestAPausedMemberCostsACallOneAttemptAtMost(t *testing.T) {
	for _, callers := range []int{1, 3, 100} {
		t.Run(fmt.Sprint(callers, " callers"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				srv := etcdtest.Start(t, etcdtest.WithMembers(3))
				c := newClient(t, srv)
				_, err := c.Put(ctx, "k", nil)
				require.NoError(t, err)
				srv.Pause(0)
				var wg sync.WaitGroup
				for i := range callers {
					wg.Go(func() {
						for n := range 3 {
							key := fmt.Sprint("k/", i, "/", n)
							begin := time.Now()
							_, err := c.Put(ctx, key, nil)
							if err != nil {
								require.ErrorIs(t, err, etcd.ErrUnknownOutcome)
								require.ErrorIs(t, err, etcd.ErrUnavailable)
								require.Zero(t, n, "only a call that was there when the member paused")
							}
							require.LessOrEqual(t, time.Since(begin), 5*time.Second)
							begin = time.Now()
							_, err = c.Get(ctx, etcd.Key(key))
							require.NoError(t, err)
							require.LessOrEqual(t, time.Since(begin), 5*time.Second)
						}
					})
				}
				wg.Wait()
				srv.Resume(0)
			})
		})
	}
}

func TestCallersInAHurryLeaveAPausedMemberToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, etcdtest.WithMembers(2))
		c := newClient(t, srv)
		_, err := c.Put(context.Background(), "k", nil)
		require.NoError(t, err)
		// The second member cannot commit alone, but it can answer.
		srv.Inject(etcdtest.Fault{Members: []int{0}, Hold: make(chan struct{})})
		begin := time.Now()
		for time.Since(begin) < 3*time.Second {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			_, err = c.Get(ctx, etcd.Key("k"))
			cancel()
			if err == nil {
				break
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(begin), 1100*time.Millisecond)
	})
}

func TestOneCallerInAHurrySaysNothingOfTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, etcdtest.WithMembers(2))
		var mu sync.Mutex
		asked := map[string]int{}
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Request = func(i etcd.RequestInfo) { mu.Lock(); asked[i.Endpoint]++; mu.Unlock() }
		})
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/range", Delay: 2 * time.Second})
		var wg sync.WaitGroup
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
			defer cancel()
			_, err := c.Get(ctx, etcd.Key("slow"))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		for range 30 {
			time.Sleep(100 * time.Millisecond)
			_, err := c.Put(context.Background(), "k", nil)
			require.NoError(t, err)
		}
		wg.Wait()
		require.Equal(t, map[string]int{srv.URLs()[0]: 31}, asked, "it has answered others meanwhile")
	})
}

func TestWithoutALeaderACallIsTriedAgainUntilThereIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		srv := etcdtest.Start(t, etcdtest.WithMembers(3))
		srv.Put("k", nil)
		c := newClient(t, srv)
		srv.LoseQuorum()
		var wg sync.WaitGroup
		for what, write := range writeCalls {
			if what == "delete" {
				continue
			}
			wg.Go(func() { require.NoError(t, write.call(ctx, c), what) })
		}
		time.Sleep(6 * time.Second)
		srv.RegainQuorum()
		begin := time.Now()
		wg.Wait()
		require.Less(t, time.Since(begin), 2*time.Second)
		kv, _ := srv.Get("k")
		require.EqualValues(t, 4, kv.Version, "each write once")
	})
}

func TestAReadThatNeedsNoLeaderAsksForNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, etcdtest.WithMembers(3))
		srv.Put("k", nil)
		c := newClient(t, srv)
		srv.LoseQuorum()
		r, err := c.Get(context.Background(), etcd.Key("k"), etcd.Serializable())
		require.NoError(t, err)
		require.Len(t, r.KVs, 1)
	})
}

func TestWithEveryEndpointDownThereIsOneClearErrorInTime(t *testing.T) {
	for name, down := range map[string]func(*etcdtest.Server, *etcd.Config){
		"connections refused": func(s *etcdtest.Server, _ *etcd.Config) {
			for i := range 3 {
				s.Kill(i)
			}
		},
		"nobody answers the dial": func(_ *etcdtest.Server, cfg *etcd.Config) { cfg.Dial = dialNowhere },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t, etcdtest.WithMembers(3))
				c := newClient(t, srv, func(cfg *etcd.Config) { cfg.DialTimeout = time.Second; down(srv, cfg) })
				begin := time.Now()
				var wg sync.WaitGroup
				for i := range 50 {
					wg.Go(func() {
						_, err := c.Put(context.Background(), fmt.Sprint("k/", i), nil)
						require.ErrorIs(t, err, etcd.ErrUnavailable)
						require.True(t, etcd.SafeToRetry(err), "%v", err)
						require.Regexp(t, `^etcd: put "k/\d+" at http://member\d.etcdtest:2379: `, err.Error())
						require.GreaterOrEqual(t, time.Since(begin), 15*time.Second)
						require.LessOrEqual(t, time.Since(begin), 22*time.Second, "the time, and one round")
					})
				}
				wg.Wait()
			})
		})
	}
}

// dialNowhere is what a network does that drops every packet.
func dialNowhere(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestANegativeRetryTimeoutIsASingleRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t, etcdtest.WithMembers(3))
		var attempts []int
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.RetryTimeout = -1
			cfg.Hooks.Request = func(i etcd.RequestInfo) { attempts = append(attempts, i.Attempt) }
		})
		for i := range 3 {
			srv.Kill(i)
		}
		begin := time.Now()
		_, err := c.Put(context.Background(), "k", nil)
		require.ErrorIs(t, err, etcd.ErrUnavailable)
		require.Zero(t, time.Since(begin))
		require.Equal(t, []int{1, 2, 3}, attempts)
	})
}

func TestAContextThatEndsBetweenAttemptsIsNotMasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		srv.LoseQuorum()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := c.Put(ctx, "k", nil)
		require.Equal(t, time.Second, time.Since(begin))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, etcd.ErrNoLeader, "and why it took so long")
		require.True(t, etcd.SafeToRetry(err))
	})
}

func TestAContextThatEndsDuringAnAttemptStillSaysWhatWentWrongBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		c := newClient(t, srv)
		srv.Inject(etcdtest.Fault{Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"}, Times: 1})
		srv.Inject(etcdtest.Fault{Skip: 1, Delay: time.Minute})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := c.Put(ctx, "k", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, etcd.ErrNoLeader, "why it took so long")
		require.ErrorIs(t, err, etcd.ErrUnknownOutcome)
		require.False(t, etcd.SafeToRetry(err))
	})
}

func TestAMemberThatComesBackIsUsedAgainWhenItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		srv := etcdtest.Start(t, etcdtest.WithMembers(3))
		var last string
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Request = func(i etcd.RequestInfo) { last = i.Endpoint }
		})
		put := func() string { _, err := c.Put(ctx, "k", nil); require.NoError(t, err); return last }
		require.Equal(t, srv.URLs()[0], put())
		srv.Kill(0)
		put() // finds the connection gone
		require.Equal(t, srv.URLs()[1], put())
		srv.Restart(0)
		time.Sleep(time.Minute)
		require.Equal(t, srv.URLs()[1], put(), "nobody moves without need")
		srv.Kill(1)
		put()
		require.Equal(t, srv.URLs()[2], put())
		srv.Kill(2)
		srv.Restart(1)
		put()
		require.Equal(t, srv.URLs()[0], put())
	})
}

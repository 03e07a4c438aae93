package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestACallThatFindsNothingUnderWayGoesOutAtOnceAsItself(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		ctx := context.Background()
		srv := t.Start()
		c := newClient(t, srv, func(cfg *etcd.Config) {
			cfg.Hooks.Batch = func(i etcd.BatchInfo) { t.Errorf("batch of %d", i.Calls) }
		})
		begin := time.Now()
		for i := range 20 {
			_, err := c.Put(ctx, fmt.Sprint("k/", i), nil)
			require.NoError(t, err)
			_, err = c.Get(ctx, etcd.Key("k/0"))
			require.NoError(t, err)
		}
		require.LessOrEqual(t, time.Since(begin), t.Slack(40), "nobody waited")
		require.Equal(t, map[string]int{"/v3/kv/put": 20, "/v3/kv/range": 20}, srv.Requests())
	})
}

func TestAloneAndNoGroupCommitShareNothing(t *testing.T) {
	none := func(t testing.TB) func(*etcd.Config) {
		return func(cfg *etcd.Config) {
			cfg.Hooks.Batch = func(i etcd.BatchInfo) { t.Errorf("batch of %d", i.Calls) }
		}
	}
	for name, test := range map[string]struct {
		change func(*etcd.Config)
		get    []etcd.GetOption
		put    []etcd.PutOption
		del    []etcd.DeleteOption
		txn    []etcd.TxnOption
	}{
		"Alone":         {func(*etcd.Config) {}, []etcd.GetOption{etcd.Alone()}, []etcd.PutOption{etcd.Alone()}, []etcd.DeleteOption{etcd.Alone()}, []etcd.TxnOption{etcd.Alone()}},
		"NoGroupCommit": {change: func(cfg *etcd.Config) { cfg.NoGroupCommit = true }},
	} {
		t.Run(name, func(t *testing.T) {
			etcd.EveryWay(t, func(t *etcd.World) {
				ctx := context.Background()
				srv := t.Start()
				c := newClient(t, srv, test.change, none(t))
				var wg sync.WaitGroup
				revs := make([]int64, 60)
				for i := range 60 {
					wg.Go(func() {
						k := fmt.Sprint("k/", i)
						switch i % 3 {
						case 0:
							r, err := c.Put(ctx, k, nil, test.put...)
							require.NoError(t, err)
							revs[i] = r.Header.Revision
						case 1:
							r, err := c.Txn(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put(k, nil)}}, test.txn...)
							require.NoError(t, err)
							revs[i] = r.Header.Revision
						default:
							_, err := c.Get(ctx, etcd.Key(k), test.get...)
							require.NoError(t, err)
							_, err = c.Delete(ctx, etcd.Key(k), test.del...)
							require.NoError(t, err)
						}
					})
				}
				wg.Wait()
				seen := map[int64]bool{}
				for _, r := range revs {
					require.False(t, r != 0 && seen[r], "revision %d twice", r)
					seen[r] = true
				}
			})
		})
	}
}

func TestACallWhoseContextEndsInTheQueueWasProvablyNotSent(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		cause := errors.New("no more patience")
		ctx, cancel := context.WithCancelCause(w.ctx)
		var err error
		w.call(func() { _, err = w.c.Put(ctx, "gone", nil) })
		stays := w.put("stays", "")
		cancel(cause)
		t.Settle()
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.True(t, etcd.SafeToRetry(err))
		w.leave()
		require.NoError(t, stays.err)
		require.Empty(t, w.srv.Keys("gone"))
	})
}

func TestACallWhoseContextEndsOnTheWayIsUnknownAndItsCompanyArrives(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		reply := make(chan struct{})
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", HoldReply: reply})
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		var err, readErr error
		w.call(func() { _, err = w.c.Put(ctx, "hurry", nil) })
		w.call(func() { _, readErr = w.c.Get(ctx, etcd.Key("hurry")) })
		var read error
		w.call(func() { _, read = w.c.Get(w.ctx, etcd.Key("mate")) })
		mate := w.put("mate", "")
		close(w.busy)
		t.Settle()
		time.Sleep(2 * time.Second)
		t.Settle()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, etcd.ErrUnknownOutcome)
		require.False(t, etcd.SafeToRetry(err))
		require.ErrorIs(t, readErr, context.DeadlineExceeded)
		require.NotErrorIs(t, readErr, etcd.ErrUnknownOutcome, "a read changes nothing")
		close(reply)
		w.wg.Wait()
		require.NoError(t, mate.err)
		require.NoError(t, read)
		requireWrittenOnce(t, w.srv, "mate", 1)
	})
}

func TestNoPlaceIsLostHoweverCallersGiveUp(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		ctx := context.Background()
		srv := t.Start()
		c := newClient(t, srv)
		srv.Inject(etcdtest.Fault{Delay: 3 * time.Millisecond})
		var wg sync.WaitGroup
		for i := range 400 {
			wg.Go(func() {
				for j := range 20 {
					ctx, cancel := context.WithTimeout(ctx, time.Duration((i*7+j*13)%11)*(time.Millisecond+t.Slack(1)/4))
					_, _ = c.Put(ctx, fmt.Sprint("k/", i%50), nil)
					_, _ = c.Get(ctx, etcd.Key(fmt.Sprint("k/", i%50)))
					cancel()
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second) // requests whose callers have all left
		// As many calls as there are places must be able to be under way.
		hold := make(chan struct{})
		f := srv.Inject(etcdtest.Fault{Hold: hold})
		for i := range etcd.WritesUnderWay {
			wg.Go(func() { _, err := c.Put(ctx, fmt.Sprint("w/", i), nil); require.NoError(t, err) })
		}
		for i := range etcd.ReadsUnderWay {
			wg.Go(func() { _, err := c.Get(ctx, etcd.Key(fmt.Sprint("w/", i))); require.NoError(t, err) })
		}
		t.Settle()
		require.Equal(t, etcd.WritesUnderWay+etcd.ReadsUnderWay, f.Hits())
		close(hold)
		wg.Wait()
	})
}

func TestTheOldestCallNeverStarves(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		ctx := context.Background()
		srv := t.Start()
		c := newClient(t, srv)
		srv.Inject(etcdtest.Fault{Delay: time.Millisecond})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
						_, err := c.Put(ctx, fmt.Sprint("k/", (i+n)%100), nil)
						require.NoError(t, err)
					}
				}
			})
		}
		for range 20 { // it meets each of the others
			begin := time.Now()
			_, err := c.Txn(ctx, etcd.Txn{If: []etcd.Cmp{etcd.Exists(etcd.Prefix("k/"))}, Then: []etcd.Op{etcd.Put("all", nil), etcd.Delete(etcd.Prefix("k/"))}})
			require.NoError(t, err)
			require.Less(t, time.Since(begin), 50*time.Millisecond)
		}
		close(stop)
		wg.Wait()
	})
}

func TestCloseEndsTheCallsThatWaitAndThoseUnderWay(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		w.leave()
		hold := make(chan struct{})
		defer close(hold)
		w.srv.Inject(etcdtest.Fault{Hold: hold})
		errs := make(chan error, 300)
		for i := range 100 {
			go func() { _, err := w.c.Put(w.ctx, fmt.Sprint("k/", i), nil); errs <- err }()
			go func() { _, err := w.c.Get(w.ctx, etcd.Key(fmt.Sprint("k/", i))); errs <- err }()
			go func() { _, err := w.c.Put(w.ctx, fmt.Sprint("k/", i), nil, etcd.Alone()); errs <- err }()
		}
		synctest.Wait()
		require.NoError(t, w.c.Close())
		unknown := 0
		for range 300 {
			err := <-errs
			require.ErrorIs(t, err, etcd.ErrClosed)
			require.NotErrorIs(t, err, context.Canceled, "no caller's context has ended")
			if errors.Is(err, etcd.ErrUnknownOutcome) {
				unknown++
			}
		}
		require.Equal(t, etcd.WritesUnderWay+100, unknown, "what was sent; the rest provably was not")
		_, err := w.c.Put(w.ctx, "late", nil)
		require.ErrorIs(t, err, etcd.ErrClosed)
		require.True(t, etcd.SafeToRetry(err))
		require.NoError(t, w.c.Close())
	})
}

func TestCallsThatWaitOutliveABatchThatNobodyTook(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, []etcdtest.Option{etcdtest.WithMembers(3)}, func(cfg *etcd.Config) { cfg.RetryTimeout = 10 * time.Second })
		hurried, cancel := context.WithTimeout(w.ctx, 2*time.Second)
		defer cancel()
		var hurry error
		w.call(func() { _, hurry = w.c.Put(hurried, "hurry", nil) })
		a, b := w.put("a", ""), w.put("b", "")
		w.srv.LoseQuorum()
		close(w.busy)

		time.Sleep(3 * time.Second)
		t.Settle()
		require.ErrorIs(t, hurry, context.DeadlineExceeded)
		if t.Latency == 0 { // otherwise its time may be up while an attempt is on its way
			require.True(t, etcd.SafeToRetry(hurry), "every attempt was refused: %v", hurry)
		}
		w.srv.RegainQuorum()
		w.wg.Wait()
		require.NoError(t, a.err)
		require.NoError(t, b.err)
		require.Empty(t, w.srv.Keys("hurry"), "who has left is not sent any more")
	})
}

func TestABatchThatNobodyTakesFailsWhenItsTimeIsUp(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil, func(cfg *etcd.Config) { cfg.RetryTimeout = 4 * time.Second })
		var all []*outcome
		for i := range 10 {
			all = append(all, w.put(fmt.Sprint("k/", i), ""))
		}
		begin := time.Now()
		w.srv.LoseQuorum()
		close(w.busy)
		w.wg.Wait()
		require.InDelta(t, 4, time.Since(begin).Seconds(), 0.01+t.Slack(2).Seconds())
		for _, o := range all {
			require.ErrorIs(t, o.err, etcd.ErrNoLeader)
			require.True(t, etcd.SafeToRetry(o.err), "%v", o.err)
			require.ErrorContains(t, o.err, "member1.etcdtest:2379")
		}
	})
}

func TestACallWhoseCallerHasLeftIsNotSentAgain(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		w := newCrowd(t, nil)
		w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, Delay: time.Second, Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"}})
		hurried, cancel := context.WithTimeout(w.ctx, 500*time.Millisecond)
		defer cancel()
		var hurry error
		w.call(func() { _, hurry = w.c.Put(hurried, "hurry", nil) })
		a, b := w.put("a", ""), w.put("b", "")
		w.leave()
		require.ErrorIs(t, hurry, context.DeadlineExceeded)
		require.ErrorIs(t, hurry, etcd.ErrUnknownOutcome, "it was on its way")
		require.NoError(t, a.err)
		require.NoError(t, b.err)
		require.Empty(t, w.srv.Keys("hurry"))
		require.Equal(t, []int{3, 2}, w.sizes())
	})
}

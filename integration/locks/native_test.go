package locks

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/lock"
)

const rawPrefix = "locks/deploy"

// nativeClient is etcd's own Go client.
func nativeClient(t *testing.T, cl *cluster.Cluster) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{cl.Direct(0)}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func nativeSession(t *testing.T, c *clientv3.Client) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(c, concurrency.WithTTL(10))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestOursAndTheNativeMutexStandInOneLine(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c, nc := party.Client(t, cl.Endpoints()...), nativeClient(t, cl)
	ctx := t.Context()
	order := make(chan string, 6)
	var leave []func()
	for i := range 6 { // in turn, each once the one before stands in the line
		turn := make(chan struct{})
		leave = append(leave, func() { close(turn) })
		if i%2 == 0 {
			m := concurrency.NewMutex(nativeSession(t, nc), rawPrefix)
			go func() {
				if err := m.Lock(ctx); err != nil {
					order <- err.Error()
					return
				}
				order <- fmt.Sprint(i)
				<-turn
				_ = m.Unlock(ctx)
			}()
		} else {
			m := lock.New(party.Session(t, c), "deploy", lock.WithPrefix(rawPrefix))
			go func() {
				h, err := m.Acquire(ctx)
				if err != nil {
					order <- err.Error()
					return
				}
				order <- fmt.Sprint(i)
				<-turn
				_ = h.Release(ctx)
			}()
		}
		party.InLine(t, c, rawPrefix+"/", int64(i+1))
	}
	for i := range 6 {
		require.Equal(t, fmt.Sprint(i), <-order)
		select {
		case other := <-order:
			t.Fatalf("%s got in beside %d", other, i)
		case <-time.After(50 * time.Millisecond):
		}
		leave[i]()
	}
	party.InLine(t, c, rawPrefix+"/", 0)
}

func TestATryOfEitherSeesTheOther(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c, nc := party.Client(t, cl.Endpoints()...), nativeClient(t, cl)
	ctx := t.Context()
	native := concurrency.NewMutex(nativeSession(t, nc), rawPrefix)
	ours := lock.New(party.Session(t, c), "deploy", lock.WithPrefix(rawPrefix))

	h, err := ours.Acquire(ctx)
	require.NoError(t, err)
	require.ErrorIs(t, native.TryLock(ctx), concurrency.ErrLocked)
	require.NoError(t, h.Release(ctx))

	require.NoError(t, native.TryLock(ctx))
	_, err = ours.TryAcquire(ctx)
	require.ErrorIs(t, err, lock.ErrHeld)
	require.ErrorContains(t, err, native.Key())
	holder, err := ours.Holder(ctx)
	require.NoError(t, err)
	require.Equal(t, native.Key(), holder.Key)
	require.NoError(t, native.Unlock(ctx))
	h, err = ours.TryAcquire(ctx)
	require.NoError(t, err)
	require.NoError(t, h.Release(ctx))
}

func TestOursAndTheNativeMutexExcludeEachOtherAndShareTheLockFairly(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c, nc := party.Client(t, cl.Endpoints()...), nativeClient(t, cl)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		inside, total [2]atomic.Int64
		all           atomic.Int64
		wg            sync.WaitGroup
	)
	enter := func(side int) {
		if inside[0].Add(1) != 1 {
			t.Error("two are in")
		}
		total[side].Add(1)
		if all.Add(1) == 60 {
			cancel()
		}
		inside[0].Add(-1)
	}
	for range 3 {
		m := concurrency.NewMutex(nativeSession(t, nc), rawPrefix)
		o := lock.New(party.Session(t, c), "deploy", lock.WithPrefix(rawPrefix))
		wg.Go(func() {
			for ctx.Err() == nil {
				if m.Lock(ctx) == nil {
					enter(0)
					_ = m.Unlock(context.WithoutCancel(ctx))
				}
			}
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				if h, err := o.Acquire(ctx); err == nil {
					enter(1)
					_ = h.Release(context.WithoutCancel(ctx))
				}
			}
		})
	}
	wg.Wait()
	native, ours := total[0].Load(), total[1].Load()
	t.Logf("native %d, ours %d", native, ours)
	require.GreaterOrEqual(t, native, int64(20), "ours keep the native ones out")
	require.GreaterOrEqual(t, ours, int64(20), "the native ones keep ours out")
	party.InLine(t, party.Client(t, cl.Endpoints()...), rawPrefix+"/", 0)
}

func TestANativeHolderThatDiesMakesRoom(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c, nc := party.Client(t, cl.Endpoints()...), nativeClient(t, cl)
	ctx := t.Context()
	s := nativeSession(t, nc)
	native := concurrency.NewMutex(s, rawPrefix)
	require.NoError(t, native.Lock(ctx))
	got := make(chan error, 1)
	ours := party.Session(t, c)
	go func() {
		h, err := lock.New(ours, "deploy", lock.WithPrefix(rawPrefix)).Acquire(ctx)
		if err == nil {
			err = party.Write(ctx, c, h)
		}
		got <- err
	}()
	party.InLine(t, c, rawPrefix+"/", 2)
	require.NoError(t, c.Revoke(ctx, etcd.LeaseID(s.Lease())))
	require.NoError(t, <-got)
	// The native guard is refused from then on, as ours is.
	r, err := nc.Txn(ctx).If(native.IsOwner()).Then(clientv3.OpPut("protected", "stale")).Commit()
	require.NoError(t, err)
	require.False(t, r.Succeeded)
}

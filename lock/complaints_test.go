package lock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// What users of other locks suffer from, as they told the projects' trackers.
// Each of these is a test here or beside:
//
//	a stale unlock deletes a newer lock (etcd-io/etcd#22082): TestReleaseOfAStaleHandleNeverTouchesANewerLock
//	two goroutines of one session share a lock (etcd-io/etcd#11360): TestTwoGoroutinesOfOneSessionExcludeEachOther
//	a lost lock gives no sign (etcd-io/etcd#6127), or one without a reason (#8181), or none of a renewal that
//	  failed (redisson#4698): TestEveryLossOfAHeldLockEndsItsContextWithItsCauseAndTheGuardRefuses
//	a committed acquire without an answer is an orphan: TestWhateverBefallsAnyRequestOfAContender
//	an unlock that did nothing looks like one that did (redsync#81): TestReleaseOfAStaleHandleNeverTouchesANewerLock
//	a cancellation hides behind another error (redsync#164): TestAWaitThatTimesOutSaysWhoHoldsTheLockAndLeavesTheLine
//	a live lease is revoked (etcd-io/etcd#15247): TestEveryLossOfAHeldLockEndsItsContextWithItsCauseAndTheGuardRefuses
//	a command that runs on when its lock is lost (etcd-io/etcd#7983): TestARevokedLeaseEndsTheGroup of the command
//	writes under the lock are not guarded (curator#1204): TestAWriteThatWasUnderWayWhenTheLockWasLostIsRefused
//	a semaphore lets too many in (kazoo#213): TestUnderRandomTroubleNobodyIsInBesideWhomItExcludes

// etcd-io/etcd#11051, #11007, #19597, #16221: it believes that it has won, or
// waits for ever.
func TestAWaiterWhoseSessionExpiresNeitherWinsNorWaitsForEver(t *testing.T) {
	for _, k := range kinds[:6] {
		inBubble(t, func(w *world) {
			other, s := w.apart()
			front := w.acquire(k.front(other))
			c := w.start(w.Context(), k.mine(s))
			began := time.Now()
			w.Srv.Inject(etcdtest.Fault{Path: "/v3/lease/keepalive", Members: []int{1}, LoseRequest: true})
			require.ErrorIs(w, w.fails(c), etcd.ErrSessionExpired, k.name)
			require.Less(w, time.Since(began), s.TTL())
			w.release(front)
			time.Sleep(2 * s.TTL())
			require.Empty(w, w.standing(k))
		}, three...)
	}
}

// etcd-io/etcd#11456: nobody looks at the lease after the wait.
func TestAWaitThatIsWonAtTheVeryMomentTheSessionExpiresIsNotWon(t *testing.T) {
	for _, early := range []time.Duration{0, time.Nanosecond} {
		inBubble(t, func(w *world) {
			other, s := w.apart()
			front := w.acquire(aMutex(other))
			c := w.start(w.Context(), aMutex(s))
			w.Srv.Inject(etcdtest.Fault{Path: "/v3/lease/keepalive", Members: []int{1}, LoseRequest: true})
			time.Sleep(time.Until(s.Deadline()) - early)
			w.release(front)
			got := <-c
			if got.Err != nil {
				require.ErrorIs(w, got.Err, etcd.ErrSessionExpired)
				require.Zero(w, early)
			} else { // a nanosecond before it was still good
				require.NotZero(w, early)
				require.True(w, w.guardedBy(other, got.Got.Guard()))
				require.ErrorIs(w, w.ended(got.Got), etcd.ErrSessionExpired)
			}
		}, three...)
	}
}

// etcd-io/etcd#11457, #11788: a holder that was paused writes as if nothing had
// happened.
func TestAWriteThatWasUnderWayWhenTheLockWasLostIsRefused(t *testing.T) {
	for _, k := range kinds[:6] {
		inBubble(t, func(w *world) {
			other, s := w.apart()
			h := w.acquire(k.mine(s))
			// The process looks, finds that it holds the lock, sends the write,
			// and all of it is held up for longer than the lease lasts.
			require.NoError(w, h.Err())
			w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, Delay: time.Minute})
			w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/lease/keepalive", LoseRequest: true})
			refused := make(chan bool)
			go func() {
				r, err := s.Client().Txn(w.Context(), etcd.Txn{
					If:   []etcd.Cmp{h.Guard()},
					Then: []etcd.Op{etcd.Put("protected", []byte("stale"))},
				})
				refused <- err != nil || !r.Succeeded
			}()
			n := w.gets(w.start(w.Context(), k.after(other)))
			require.True(w, w.guardedBy(other, n.Guard()))
			require.True(w, <-refused, k.name)
			time.Sleep(2 * time.Minute)
			kv, _ := w.Srv.Get("protected")
			require.Equal(w, "x", string(kv.Value))
			w.release(n)
		}, three...)
	}
}

// etcd-io/etcd#21128, #9715, kazoo#760: a failed attempt stays in the line.
func TestAnAcquisitionThatFailsStaysInNoLine(t *testing.T) {
	for name, fault := range map[string]etcdtest.Fault{
		"the context ends while the enqueue is under way": {HoldReply: make(chan struct{})},
		"the wait can't be watched":                       {Path: "/v3/watch", LoseRequest: true},
		"the line can't be read again":                    {Path: "/v3/kv/range", LoseRequest: true},
	} {
		for _, k := range kinds[:6] {
			t.Run(fmt.Sprintf("%s, %s", k.name, name), func(t *testing.T) {
				inBubble(t, func(w *world) {
					other, s := w.apart()
					front := w.acquire(k.front(other))
					if fault.HoldReply != nil {
						hold := make(chan struct{})
						defer close(hold)
						fault.HoldReply, fault.Path, fault.Times = hold, "/v3/kv/txn", 1
					}
					fault.Members = []int{1}
					in := w.Srv.Inject(fault)
					ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
					defer cancel()
					_, err := k.mine(s).Acquire(ctx)
					require.ErrorIs(w, err, context.DeadlineExceeded)
					require.Positive(w, in.Hits())
					require.Len(w, w.standing(k), len(w.fronts(front)))
					w.release(front)
					w.release(w.acquire(k.after(other)))
				}, three...)
			})
		}
	}
}

// fronts gives the keys of a holder.
func (w *world) fronts(h *lock.Handle) []string {
	var keys []string
	for _, kv := range w.Srv.KeyValues(lock.Root) {
		if kv.CreateRevision == h.Token() {
			keys = append(keys, kv.Key)
		}
	}
	return keys
}

// jetcd, etcd-io/etcd#14890: what was applied and not answered is applied again.
func TestALostReplyIsNotMadeGoodByASecondCommit(t *testing.T) {
	for _, k := range kinds[:7] {
		inBubble(t, func(w *world) {
			s := w.Session()
			w.release(w.acquire(k.mine(s))) // what all parties agree on stands there from now on
			before := len(w.Srv.Events())
			lose := etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, LoseReply: true}
			in := w.Srv.Inject(lose)
			h := w.acquire(k.mine(s))
			again := w.Srv.Inject(lose)
			w.release(h)
			require.Equal(w, []int{1, 1}, []int{in.Hits(), again.Hits()})
			created, deleted := 0, 0
			for _, ev := range w.Srv.Events()[before:] {
				switch {
				case ev.Deleted:
					deleted++
				case ev.KV.Version == 1:
					created++
				}
			}
			keys := len(k.locks)
			if k.name == "mutex with a quarantine" {
				keys *= 2 // its tenure
			}
			require.Equal(w, []int{keys, keys}, []int{created, deleted}, k.name)
		})
	}
}

// etcd-io/etcd#6681: Close hangs.
func TestClosingTheSessionEndsHoldersAndWaitersAndReturnsAlsoIfEtcdDoesNot(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		h := w.acquire(aMutex(s))
		c := w.start(w.Context(), aMutex(s))
		w.Srv.Pause(0)
		ctx, cancel := context.WithTimeout(w.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		_ = s.Close(ctx)
		require.LessOrEqual(w, time.Since(began), 3*time.Second)
		require.ErrorIs(w, w.fails(c), etcd.ErrSessionClosed)
		require.ErrorIs(w, w.ended(h), etcd.ErrSessionClosed)
		require.ErrorIs(w, h.Release(w.Context()), lock.ErrLost)
		require.LessOrEqual(w, time.Since(began), 5*time.Second)
	})
}

// cilium#12619: a timeout that was meant for the creation kills what was
// created.
func TestATimeoutOfTheAcquisitionDoesNotEndTheLock(t *testing.T) {
	for _, k := range kinds[:6] {
		inBubble(t, func(w *world) {
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			s, err := etcd.NewSession(ctx, w.Client())
			require.NoError(w, err)
			defer s.Close(w.Context())
			h, err := k.mine(s).Acquire(ctx)
			require.NoError(w, err)
			time.Sleep(10 * time.Minute)
			cancel()
			w.Settle()
			require.Error(w, ctx.Err())
			require.NoError(w, h.Err())
			require.NoError(w, h.Context().Err())
			w.release(h)
		})
	}
}

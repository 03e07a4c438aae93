package lock_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// A loss is a way to lose a lock that is held or waited for.
type loss struct {
	name  string
	does  func(w *world, s *etcd.Session, key string)
	cause error
}

var losses = []loss{
	{"the lease is revoked", func(w *world, s *etcd.Session, _ string) {
		require.True(w, w.Srv.RevokeLease(int64(s.Lease())))
	}, etcd.ErrSessionRevoked},
	{"the key is deleted by hand", func(w *world, _ *etcd.Session, key string) {
		require.True(w, w.Srv.Delete(key))
	}, lock.ErrDeleted},
	{"an operator breaks it", func(w *world, s *etcd.Session, key string) {
		kv, _ := w.Srv.Get(key)
		name, _, _ := strings.Cut(strings.TrimPrefix(key, lock.Root), "/")
		c, err := lock.Break(w.Context(), s.Client(), name, kv.CreateRevision, "stuck since noon")
		require.NoError(w, err)
		require.Equal(w, key, c.Key)
	}, lock.ErrBroken},
	{"the session is closed", func(w *world, s *etcd.Session, _ string) {
		require.NoError(w, s.Close(w.Context()))
	}, etcd.ErrSessionClosed},
	{"etcd can't be reached for longer than the TTL", func(w *world, _ *etcd.Session, _ string) {
		w.Srv.Pause(1)
	}, etcd.ErrSessionExpired},
}

// losable are the kinds of locks whose loss is tried.
var losable = kinds[:6]

// of gives a key of the contender with that session.
func (w *world) of(s *etcd.Session, k kind) string {
	w.Helper()
	for _, key := range w.standing(k) {
		if strings.Contains(key, "/"+s.Lease().String()+"-") {
			return key
		}
	}
	w.Fatal("it stands in no line")
	return ""
}

func TestEveryLossOfAHeldLockEndsItsContextWithItsCauseAndTheGuardRefuses(t *testing.T) {
	for _, held := range []time.Duration{0, 10 * time.Second} { // before and after it is watched
		for _, k := range losable {
			for _, l := range losses {
				t.Run(fmt.Sprintf("%s, %s, after %v", k.name, l.name, held), func(t *testing.T) {
					bothWays(t, func(w *world) {
						other, s := w.apart()
						h := w.acquire(k.mine(s))
						next := w.start(w.Context(), k.after(other))
						require.True(w, w.guardedBy(other, h.Guard()))
						time.Sleep(held)
						l.does(w, s, w.of(s, k))
						require.ErrorIs(w, w.ended(h), l.cause)
						require.ErrorIs(w, h.Err(), lock.ErrLost)
						require.ErrorIs(w, h.Err(), l.cause)
						if l.cause == etcd.ErrSessionExpired {
							w.waits(next) // it knew before the server could give it away
						}
						require.False(w, l.cause != etcd.ErrSessionExpired && w.guardedBy(other, h.Guard()))
						err := h.Release(w.Context())
						require.ErrorIs(w, err, lock.ErrLost)
						require.ErrorIs(w, err, l.cause)
						n := w.gets(next)
						require.Greater(w, n.Token(), h.Token())
						require.False(w, w.guardedBy(other, h.Guard()))
						require.True(w, w.guardedBy(other, n.Guard()))
						require.ErrorIs(w, h.Release(w.Context()), lock.ErrLost)
						require.NoError(w, n.Err(), "a stale release took away a newer lock")
						w.release(n)
						require.Empty(w, w.standing(k))
					}, three...)
				})
			}
		}
	}
}

func TestEveryLossWhileWaitingEndsTheWaitWithItsCause(t *testing.T) {
	for _, waited := range []time.Duration{0, 10 * time.Second} {
		for _, k := range losable {
			for _, l := range losses {
				t.Run(fmt.Sprintf("%s, %s, after %v", k.name, l.name, waited), func(t *testing.T) {
					bothWays(t, func(w *world) {
						other, s := w.apart()
						h := w.acquire(k.front(other))
						c := w.start(w.Context(), k.mine(s))
						time.Sleep(waited)
						began := time.Now()
						l.does(w, s, w.of(s, k))
						require.ErrorIs(w, w.fails(c), l.cause)
						require.LessOrEqual(w, time.Since(began), s.TTL())
						time.Sleep(2 * s.TTL())
						require.Len(w, w.standing(k), len(w.fronts(h)))
						w.release(h)
						w.release(w.acquire(k.after(other)))
						require.Empty(w, w.standing(k))
					}, three...)
				})
			}
		}
	}
}

func TestAfterAPauseOfTheProcessErrTellsOfTheExpiryBeforeAnyTimerHasFired(t *testing.T) {
	for _, k := range losable {
		bothWays(t, func(w *world) {
			s, other := w.Oversleeper(), w.At(0)
			h := w.acquire(k.mine(s))
			w.Oversleep(s)
			require.NoError(w, h.Context().Err(), "nothing has been noticed")
			n := w.acquire(k.after(other)) // which has long been free
			require.ErrorIs(w, h.Err(), etcd.ErrSessionExpired, k.name)
			require.ErrorIs(w, h.Err(), lock.ErrLost)
			require.ErrorIs(w, w.ended(h), etcd.ErrSessionExpired)
			require.False(w, w.guarded(other, h))
			require.ErrorIs(w, h.Release(w.Context()), lock.ErrLost)
			w.release(n)
		}, three...)
	}
}

// It has got the lock, as far as it can see, when its lease has long run out.
func TestAfterAPauseOfTheProcessAWaitIsNotWon(t *testing.T) {
	bothWays(t, func(w *world) {
		s, other := w.Oversleeper(), w.At(0)
		w.release(w.acquire(aMutex(other)))
		// The reply to its enqueue is held up until it wakes up.
		hold := make(chan struct{})
		w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
		c := w.start(w.Context(), aMutex(s))
		w.Oversleep(s)
		close(hold)
		require.ErrorIs(w, w.fails(c), etcd.ErrSessionExpired)
	}, three...)
}

func TestALockThatWasLostIsNotWonBackByTheSameHandle(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		m := lock.New(s, "deploy")
		h := w.acquire(m)
		time.Sleep(time.Second)
		w.Srv.Delete(w.line("deploy")[0])
		require.ErrorIs(w, w.ended(h), lock.ErrDeleted)
		again := w.acquire(m)
		require.ErrorIs(w, h.Err(), lock.ErrDeleted)
		require.False(w, w.guarded(s, h))
		require.True(w, w.guarded(s, again))
		w.release(again)
	})
}

func TestAReleaseWorksWhileEtcdIsFullAndAnAcquisitionSaysWhyItDoesNot(t *testing.T) {
	bothWays(t, func(w *world) {
		a, b := w.Session(), w.Session()
		held := w.acquire(lock.New(a, "deploy"))
		c := w.start(w.Context(), lock.New(b, "deploy"))
		w.Srv.SetNoSpace(true)
		w.release(held)
		next := w.gets(c)
		w.release(next) // it waited: its farewell is refused, its release is not
		_, err := lock.New(a, "deploy").Acquire(w.Context())
		require.ErrorIs(w, err, etcd.ErrNoSpace)
		_, err = lock.New(a, "deploy").TryAcquire(w.Context())
		require.ErrorIs(w, err, etcd.ErrNoSpace)
		w.Srv.SetNoSpace(false)
		require.Empty(w, w.line("deploy"))
		w.release(w.acquire(lock.New(a, "deploy")))
	})
}

func TestAReleaseWhoseContextHasEndedIsCarriedOutByTheSession(t *testing.T) {
	bothWays(t, func(w *world) {
		h := w.acquire(lock.New(w.Session(), "deploy"))
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		require.ErrorIs(w, h.Release(ctx), context.Canceled)
		require.ErrorIs(w, h.Err(), lock.ErrReleased)
		w.Settle()
		require.Empty(w, w.line("deploy"))
		require.NoError(w, h.Release(w.Context()))
	})
}

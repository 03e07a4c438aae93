package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// A paused server may carry out a request long after the client has given it up
// and others have been answered. These tests let it.

func TestAnEnqueueThatIsCarriedOutAfterTheReleaseLeavesNoOrphan(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		m := lock.New(s, "deploy")
		in, apply := w.Late()
		h := w.acquire(m) // repeated after the first attempt's time was up
		require.Equal(w, 1, in.Hits())
		w.release(h)
		require.Empty(w, w.line("deploy"))
		revision := w.Srv.Revision()
		apply()
		time.Sleep(2 * s.TTL())
		require.Equal(w, revision+2, w.Srv.Revision(), "the late attempt was to create a key, and the session to delete it")
		require.Empty(w, w.line("deploy"))
		w.release(w.acquire(lock.New(other, "deploy")))
		w.release(w.acquire(m))
	}, three...)
}

func TestAnEnqueueThatIsCarriedOutAfterTheCallerGaveUpLeavesNoOrphan(t *testing.T) {
	for name, acquire := range map[string]func(*lock.Mutex, context.Context) (*lock.Handle, error){
		"acquire": (*lock.Mutex).Acquire,
		"try":     (*lock.Mutex).TryAcquire,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				other, s := w.apart()
				_, apply := w.Late()
				ctx, cancel := context.WithTimeout(w.Context(), time.Second)
				defer cancel()
				_, err := acquire(lock.New(s, "deploy"), ctx)
				require.ErrorIs(w, err, context.DeadlineExceeded)
				require.Empty(w, w.line("deploy"))
				apply()
				time.Sleep(2 * s.TTL())
				require.Empty(w, w.line("deploy"))
				w.release(w.acquire(lock.New(other, "deploy")))
			}, three...)
		})
	}
}

func TestWhoGivesUpWithoutAnAnswerIsNotToldThatItStoodInItsOwnWay(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		for _, held := range []bool{false, true} {
			if held {
				defer w.release(w.acquire(lock.New(other, "deploy")))
			}
			hold := make(chan struct{})
			in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, HoldReply: hold})
			ctx, cancel := context.WithTimeout(w.Context(), time.Second)
			_, err := lock.New(s, "deploy").Acquire(ctx)
			cancel()
			close(hold)
			require.ErrorIs(w, err, context.DeadlineExceeded)
			require.Equal(w, 1, in.Hits())
			var e *lock.Error
			require.ErrorAs(w, err, &e)
			require.Equal(w, held, len(e.By) == 1, err)
			for _, c := range e.By {
				require.Equal(w, other.Lease(), c.Lease)
			}
		}
	}, three...)
}

func TestATryThatIsCarriedOutAfterItWasToldThatTheLockIsHeldLeavesNoOrphan(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		_, apply := w.Late()
		between := make(chan acquired, 1)
		go func() { // while the first attempt is held up
			time.Sleep(time.Second)
			h, err := lock.New(other, "deploy").Acquire(w.Context())
			between <- acquired{Got: h, Err: err}
		}()
		_, err := lock.New(s, "deploy").TryAcquire(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		w.release(w.gets(between))
		apply()
		time.Sleep(2 * s.TTL())
		require.Empty(w, w.line("deploy"))
		w.release(w.acquire(lock.New(other, "deploy")))
	}, three...)
}

func TestAReleaseThatIsCarriedOutLateDoesNotTouchALaterLockUnderTheSameKey(t *testing.T) {
	inBubble(t, func(w *world) {
		_, s := w.apart()
		m := lock.New(s, "deploy")
		h := w.acquire(m)
		key := w.line("deploy")[0]
		_, apply := w.Late()
		w.release(h) // repeated after the first attempt's time was up
		again := w.acquire(m)
		require.Equal(w, []string{key}, w.line("deploy"), "the key is used again")
		apply()
		time.Sleep(2 * s.TTL())
		require.NoError(w, again.Err())
		require.True(w, w.guarded(s, again))
		w.release(again)
	}, three...)
}

func TestASuccessThatRacesWithTheEndOfItsContextIsGivenBack(t *testing.T) {
	for name, acquire := range map[string]func(*lock.Mutex, context.Context) (*lock.Handle, error){
		"acquire": (*lock.Mutex).Acquire,
		"try":     (*lock.Mutex).TryAcquire,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				ctx, cancel := context.WithCancel(w.Context())
				c := w.Client(func(cfg *etcd.Config) {
					cfg.Hooks.Request = func(r etcd.RequestInfo) {
						if r.Op == "txn" && r.Err == nil {
							cancel() // the answer is there, and nobody has looked at it yet
						}
					}
				})
				s, err := etcd.NewSession(w.Context(), c)
				require.NoError(w, err)
				defer s.Close(w.Context())
				_, err = acquire(lock.New(s, "deploy"), ctx)
				require.ErrorIs(w, err, context.Canceled)
				require.Empty(w, w.line("deploy"))
				w.release(w.acquire(lock.New(w.Session(), "deploy")))
			})
		})
	}
}

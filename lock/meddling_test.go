package lock_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// What operators and other programs do to a lock, and what goes wrong with
// that.

func TestABreakSurvivesALostReplyAndTakesNobodyElse(t *testing.T) {
	for name, f := range map[string]etcdtest.Fault{
		"the request is lost":    {LoseRequest: true},
		"the reply is lost":      {LoseReply: true},
		"the reply is cut short": {CutReply: 15},
		"two replies are lost":   {LoseReply: true, Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				h := w.acquire(aMutex(w.Session()))
				next := w.start(w.Context(), aMutex(w.Session()))
				c := w.Client()
				f.Path, f.Times = "/v3/kv/txn", max(1, f.Times)
				in := w.Srv.Inject(f)
				broken, err := lock.Break(w.Context(), c, "deploy", h.Token(), "stuck")
				require.NoError(w, err)
				require.Equal(w, h.Token(), broken.Token)
				require.Equal(w, f.Times, in.Hits())
				require.ErrorIs(w, w.ended(h), lock.ErrBroken)
				n := w.gets(next)
				require.NoError(w, n.Err())
				w.release(n)
			})
		})
	}
}

func TestABreakThatCanNotBeCarriedOutSaysWhy(t *testing.T) {
	inBubble(t, func(w *world) {
		h := w.acquire(aMutex(w.Session()))
		c := w.Client(func(cfg *etcd.Config) { cfg.RetryTimeout, cfg.AttemptTimeout = time.Second, time.Second })
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", LoseRequest: true})
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		defer cancel()
		_, err := lock.Break(ctx, c, "deploy", h.Token(), "stuck")
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.NoError(w, h.Err())
		_, err = lock.Break(w.Context(), c, "", h.Token(), "stuck")
		require.ErrorContains(w, err, "the name is empty")
	})
}

func TestAWipedClusterEndsHoldersAndWaitersWithThatCause(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		h := w.acquire(aMutex(s))
		time.Sleep(time.Second)
		c := w.start(w.Context(), aMutex(w.Session()))
		w.Srv.Wipe()
		for _, err := range []error{w.ended(h), w.fails(c)} {
			if !errors.Is(err, etcd.ErrClusterChanged) && !errors.Is(err, etcd.ErrSessionRevoked) && !errors.Is(err, lock.ErrDeleted) {
				w.Fatalf("the cause is %v", err)
			}
		}
		require.ErrorIs(w, h.Err(), lock.ErrLost)
		w.release(w.acquire(aMutex(w.Session())))
	})
}

func TestADeletedLimitEndsWaitsAndIsWrittenAgainByWhoComesNext(t *testing.T) {
	inBubble(t, func(w *world) {
		sem := func(n int64) permits { return permits{lock.NewSemaphore(w.Session(), "licences", 3), n} }
		h := w.acquire(sem(3))
		c := w.start(w.Context(), sem(1))
		w.Srv.Delete(lock.Root + "licences/settings")
		err := w.fails(c)
		require.ErrorIs(w, err, lock.ErrMismatch)
		require.ErrorContains(w, err, "the semaphore's limit was deleted")
		_, err = sem(1).Acquire(w.Context())
		require.ErrorIs(w, err, lock.ErrMismatch, "somebody stands in the line, and nobody knows under which limit")
		_, err = lock.NewSemaphore(w.Session(), "licences", 3).Resize(w.Context(), 5)
		require.ErrorContains(w, err, "it is missing, and somebody stands in the line")
		w.release(h)
		w.release(w.acquire(sem(1)))
	})
}

func TestAResizeIsOfUseToAllAndSurvivesLostReplies(t *testing.T) {
	inBubble(t, func(w *world) {
		sem := lock.NewSemaphore(w.Session(), "licences", 3)
		bigger, err := sem.Resize(w.Context(), 5) // before anybody used it
		require.NoError(w, err)
		w.release(w.acquire(permits{bigger, 5}))
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, LoseReply: true})
		smaller, err := bigger.Resize(w.Context(), 2)
		require.NoError(w, err)
		again, err := smaller.Resize(w.Context(), 2)
		require.NoError(w, err)
		w.release(w.acquire(permits{again, 2}))

		w.Srv.Put(lock.Root+"licences/settings", []byte("garbage"))
		_, err = again.Resize(w.Context(), 3)
		require.ErrorIs(w, err, lock.ErrMismatch)
		_, err = lock.NewSemaphore(nil, "licences", 3).Resize(w.Context(), 3)
		require.ErrorContains(w, err, "no session")
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		_, err = sem.Resize(ctx, 7)
		require.ErrorIs(w, err, context.Canceled)
	})
}

func TestForgetLeavesWhatIsInUse(t *testing.T) {
	inBubble(t, func(w *world) {
		s, c := w.Session(), w.Client()
		require.NoError(w, lock.Forget(w.Context(), c, "licences"), "there is nothing")
		h := w.acquire(permits{lock.NewSemaphore(s, "licences", 3), 1})
		err := lock.Forget(w.Context(), c, "licences")
		require.ErrorIs(w, err, lock.ErrHeld)
		var e *lock.Error
		require.ErrorAs(w, err, &e)
		require.Equal(w, h.Token(), e.By[0].Token)
		w.release(h)

		m := quarantined(s)
		h = w.acquire(m)
		w.Srv.Delete(w.fronts(h)[0])
		require.ErrorIs(w, w.ended(h), lock.ErrDeleted)
		err = lock.Forget(w.Context(), c, "deploy")
		require.ErrorIs(w, err, lock.ErrQuarantine)

		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, LoseReply: true})
		require.NoError(w, lock.Forget(w.Context(), c, "licences"))
		require.Empty(w, w.line("licences"))
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		require.ErrorIs(w, lock.Forget(ctx, c, "licences"), context.Canceled)
		require.ErrorContains(w, lock.Forget(w.Context(), c, ""), "empty")
	})
}

func TestAKeyThatWasChangedByHandIsNotDowngraded(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		h := w.acquire(aWriter(s))
		key := w.line("catalog")[0]
		w.Srv.Put(key, []byte("an operator's note"))
		require.False(w, w.guarded(s, h))
		_, err := h.Downgrade(w.Context())
		require.ErrorContains(w, err, key)
		require.ErrorIs(w, err, lock.ErrMismatch)
		kv, _ := w.Srv.Get(key)
		require.Equal(w, "an operator's note", string(kv.Value))
	})
}

func TestOfTwoDowngradesAtATimeOneIsToldSo(t *testing.T) {
	inBubble(t, func(w *world) {
		h := w.acquire(aWriter(w.Session()))
		hold := make(chan struct{})
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, Hold: hold})
		done := make(chan error, 1)
		go func() {
			r, err := h.Downgrade(w.Context())
			if err == nil {
				err = r.Release(w.Context())
			}
			done <- err
		}()
		w.Settle()
		_, err := h.Downgrade(w.Context())
		require.ErrorContains(w, err, "another call is downgrading it")
		close(hold)
		require.NoError(w, <-done)
	})
}

func TestDoOfASemaphoreHoldsThePermitsMeanwhile(t *testing.T) {
	inBubble(t, func(w *world) {
		sem := lock.NewSemaphore(w.Session(), "licences", 3)
		failure := errors.New("no such build")
		err := sem.Do(w.Context(), 3, func(ctx context.Context, h *lock.Handle) error {
			_, err := sem.TryAcquire(ctx, 1)
			require.ErrorIs(w, err, lock.ErrHeld)
			return failure
		})
		require.ErrorIs(w, err, failure)
		require.Empty(w, w.contenders("licences"))
		for _, err := range []error{
			sem.Do(w.Context(), 4, nil),
			lock.NewRW(nil, "catalog").Do(w.Context(), nil),
			lock.NewRW(nil, "catalog").DoRead(w.Context(), nil),
		} {
			require.Error(w, err)
		}
	})
}

func TestLookingAtWhatCanNotBeReadIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		m := lock.New(s, "licences")
		w.Srv.Put(lock.Root+"licences/settings", []byte("garbage"))
		w.Srv.Put(lock.Root+"stray", nil) // below no name
		_, err := m.State(w.Context())
		require.ErrorContains(w, err, lock.Root+"licences/settings")
		_, err = m.Holder(w.Context())
		require.ErrorIs(w, err, lock.ErrMismatch)
		_, err = m.Waiters(w.Context())
		require.ErrorIs(w, err, lock.ErrMismatch)
		for st, err := range lock.All(w.Context(), s.Client()) {
			require.Nil(w, st)
			require.ErrorContains(w, err, `lock: list "licences"`)
		}
		bad := lock.New(s, "")
		_, err = bad.State(w.Context())
		require.ErrorContains(w, err, "the name is empty")
		_, err = bad.Break(w.Context(), 1, "stuck")
		require.ErrorContains(w, err, "the name is empty")
		_, err = lock.New(s, "x", lock.WithPrefix(strings.Repeat("p", 600))).TryAcquire(w.Context())
		require.ErrorContains(w, err, "the prefix is longer than 512 bytes")
		_, err = lock.New(s, "", lock.WithPrefix("raw/p")).Holder(w.Context())
		require.ErrorContains(w, err, `"raw/p"`)
	})
}

func TestAListThatIsLeftEarlyEnds(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		for _, name := range []string{"a", "b", "c"} {
			defer w.release(w.acquire(lock.New(s, name)))
		}
		n := 0
		for range lock.All(w.Context(), s.Client()) {
			if n++; n == 2 {
				break
			}
		}
		require.Equal(w, 2, n)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		for _, err := range lock.All(ctx, s.Client()) {
			require.ErrorIs(w, err, context.Canceled)
		}
	})
}

// The reply is lost, and what follows is a refusal of the next attempt, which says
// nothing of the first one.
func TestAnErrorAfterAnAttemptOfUnknownOutcomeIsOfUnknownOutcome(t *testing.T) {
	for name, do := range map[string]func(*world, *etcd.Session, *lock.Handle) error{
		"break": func(w *world, s *etcd.Session, h *lock.Handle) error {
			_, err := lock.Break(w.Context(), s.Client(), "licences", h.Token(), "stuck")
			return err
		},
		"resize": func(w *world, s *etcd.Session, _ *lock.Handle) error {
			_, err := lock.NewSemaphore(s, "licences", 3).Resize(w.Context(), 5)
			return err
		},
		"forget": func(w *world, s *etcd.Session, h *lock.Handle) error {
			w.release(h)
			return lock.Forget(w.Context(), s.Client(), "licences")
		},
	} {
		for _, next := range []string{"/v3/kv/range", "/v3/kv/txn"} {
			t.Run(name+", "+next, func(t *testing.T) {
				inBubble(t, func(w *world) {
					other, s := w.apart()
					h := w.acquire(permits{lock.NewSemaphore(other, "licences", 3), 1})
					lost := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Times: 1, LoseRequest: true})
					refused := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: next, Skip: 1,
						Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
					err := do(w, s, h)
					if name == "break" && next == "/v3/kv/range" {
						require.NoError(w, err, "it reads once")
						return
					}
					require.Equal(w, []int{1, 1}, []int{lost.Hits(), refused.Hits()})
					require.ErrorIs(w, err, etcd.ErrPermissionDenied)
					require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
					require.False(w, etcd.SafeToRetry(err))
				}, three...)
			})
		}
	}
}

// Somebody has deleted the settings, and no contender is there, but a key that
// tells of one.
func TestSettingsThatAreMissingBesideATenureAreAnErrorThatNamesIt(t *testing.T) {
	inBubble(t, func(w *world) {
		held := lock.Root + "deploy/held"
		w.Srv.Put(held, []byte(`{"key":"x","nonce":"y"}`))
		m := quarantined(w.Session())
		for _, acquire := range []func(context.Context) (*lock.Handle, error){m.Acquire, m.TryAcquire} {
			_, err := acquire(w.Context())
			require.ErrorIs(w, err, lock.ErrMismatch)
			require.ErrorContains(w, err, held)
		}
		require.Equal(w, []string{held}, w.line("deploy"), "nothing is destroyed")
	})
}

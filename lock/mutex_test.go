package lock_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

func TestAMutexIsHeldByOneAtATimeInTheOrderOfArrival(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.acquire(lock.New(w.Session(), "deploy"))
		var waiting []<-chan acquired
		for range 5 {
			waiting = append(waiting, w.start(w.Context(), lock.New(w.Session(), "deploy")))
		}
		held := first
		for i, c := range waiting {
			for _, later := range waiting[i:] {
				w.waits(later)
			}
			w.release(held)
			next := w.gets(c)
			require.Greater(w, next.Token(), held.Token())
			held = next
		}
		w.release(held)
		require.Empty(w, w.line("deploy"))
	})
}

func TestTwoGoroutinesOfOneSessionExcludeEachOther(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		h := w.acquire(m)
		c := w.start(w.Context(), m)
		time.Sleep(time.Hour)
		w.waits(c)
		w.release(h)
		w.release(w.gets(c))
		require.Empty(w, w.line("deploy"))
	})
}

func TestAnUncontendedLockTakesOneRequestToAcquireAndOneToRelease(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		before := w.Srv.Requests()
		w.release(w.acquire(m))
		after := w.Srv.Requests()
		require.Equal(w, before["/v3/kv/txn"]+2, after["/v3/kv/txn"])
		require.Equal(w, before["/v3/kv/range"], after["/v3/kv/range"])
		require.Zero(w, w.Srv.Watches())
	})
}

func TestALockInConstantUseLeavesNoTrailOfKeys(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		keys := map[string]bool{}
		for range 10 {
			h := w.acquire(m)
			keys[w.line("deploy")[0]] = true
			w.release(h)
		}
		require.Len(w, keys, 1)
	})
}

func TestAHandOverWakesOnlyTheNextInLine(t *testing.T) {
	inBubble(t, func(w *world) {
		held := w.acquire(lock.New(w.Session(), "deploy"))
		var waiting []<-chan acquired
		for range 6 {
			waiting = append(waiting, w.start(w.Context(), lock.New(w.Session(), "deploy")))
		}
		at := time.Now()
		for _, c := range waiting {
			before := w.Srv.Requests()
			w.release(held)
			held = w.gets(c)
			w.Settle()
			after := w.Srv.Requests()
			require.Equal(w, at, time.Now(), "no watch that began in the past, which the server serves later")
			// One commit, one event: nobody reads or writes anything else.
			require.Equal(w, before["/v3/kv/txn"]+1, after["/v3/kv/txn"])
			require.Equal(w, before["/v3/kv/range"], after["/v3/kv/range"])
		}
		w.release(held)
	})
}

func TestTryAcquireTakesAFreeLockAndLeavesNothingBehindOnOneThatIsHeld(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy", lock.WithMetadata(map[string]string{"ticket": "OPS-17"}))
		h, err := m.TryAcquire(w.Context())
		require.NoError(w, err)
		other := lock.New(w.Session(), "deploy")
		revision := w.Srv.Revision()
		for range 3 {
			_, err := other.TryAcquire(w.Context())
			require.ErrorIs(w, err, lock.ErrHeld)
			var le *lock.Error
			require.ErrorAs(w, err, &le)
			require.Equal(w, "deploy", le.Name)
			require.Len(w, le.By, 1)
			require.Equal(w, h.Token(), le.By[0].Token)
			require.Equal(w, "OPS-17", le.By[0].Metadata["ticket"])
		}
		require.Equal(w, revision, w.Srv.Revision(), "a try on a lock that is held writes nothing")
		require.Len(w, w.line("deploy"), 1)
		w.release(h)
		h, err = other.TryAcquire(w.Context())
		require.NoError(w, err)
		w.release(h)
	})
}

func TestAWaitThatTimesOutSaysWhoHoldsTheLockAndLeavesTheLine(t *testing.T) {
	inBubble(t, func(w *world) {
		h := w.acquire(lock.New(w.Session(), "deploy"))
		second := w.start(w.Context(), lock.New(w.Session(), "deploy"))
		cause := errors.New("the build was superseded")
		ctx, cancel := context.WithTimeoutCause(w.Context(), 3*time.Second, cause)
		defer cancel()
		began := time.Now()
		_, err := lock.New(w.Session(), "deploy").Acquire(ctx)
		require.Equal(w, 3*time.Second, time.Since(began))
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.ErrorIs(w, err, cause)
		var le *lock.Error
		require.ErrorAs(w, err, &le)
		require.Equal(w, "acquire", le.Op)
		require.NotEmpty(w, le.By)
		require.Equal(w, h.Token(), le.By[0].Token, "the one who holds it, not the one in front")
		require.Contains(w, err.Error(), `lock: acquire "deploy"`)
		require.Contains(w, err.Error(), le.By[0].String())
		require.Len(w, w.line("deploy"), 2)
		w.release(h)
		w.release(w.gets(second))
	})
}

func TestAWaiterWhoLeavesTheLineLetsTheOthersKeepTheirPlaces(t *testing.T) {
	inBubble(t, func(w *world) {
		h := w.acquire(lock.New(w.Session(), "deploy"))
		ctx, cancel := context.WithCancel(w.Context())
		second := w.start(ctx, lock.New(w.Session(), "deploy"))
		third := w.start(w.Context(), lock.New(w.Session(), "deploy"))
		cancel()
		require.ErrorIs(w, w.fails(second), context.Canceled)
		w.waits(third)
		w.release(h)
		w.release(w.gets(third))
		require.Empty(w, w.line("deploy"))
	})
}

func TestReleaseIsIdempotentAlsoFromManyGoroutines(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		h := w.acquire(lock.New(s, "deploy"))
		errs := make(chan error, 8)
		for range cap(errs) {
			go func() { errs <- h.Release(w.Context()) }()
		}
		for range cap(errs) {
			require.NoError(w, <-errs)
		}
		require.NoError(w, h.Release(w.Context()))
		require.ErrorIs(w, h.Err(), lock.ErrReleased)
		require.ErrorIs(w, context.Cause(h.Context()), lock.ErrReleased)
		require.False(w, w.guarded(s, h))
	})
}

func TestReleaseOfAStaleHandleNeverTouchesANewerLock(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		m := lock.New(s, "deploy")
		h := w.acquire(m)
		key := w.line("deploy")[0]
		require.True(w, w.Srv.Delete(key))
		w.Srv.Put(key, []byte("somebody else's, under the very same key"))
		require.ErrorIs(w, h.Release(w.Context()), lock.ErrLost)
		require.ErrorIs(w, h.Release(w.Context()), lock.ErrLost)
		require.Equal(w, []string{key}, w.line("deploy"))
		require.False(w, w.guarded(s, h))
	})
}

func TestDoHoldsTheLockWhileTheFunctionRunsAndReleasesItAlsoOnAPanic(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		other := lock.New(w.Session(), "deploy")
		failure := errors.New("no such build")
		err := m.Do(w.Context(), func(ctx context.Context, h *lock.Handle) error {
			require.NoError(w, h.Err())
			_, err := other.TryAcquire(ctx)
			require.ErrorIs(w, err, lock.ErrHeld)
			return failure
		})
		require.ErrorIs(w, err, failure)
		require.NotErrorIs(w, err, lock.ErrLost)
		require.Panics(w, func() {
			_ = m.Do(w.Context(), func(context.Context, *lock.Handle) error { panic("boom") })
		})
		require.Empty(w, w.line("deploy"))
	})
}

func TestDoTellsThatTheLockWasLostEvenIfTheFunctionSucceeded(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		err := m.Do(w.Context(), func(ctx context.Context, h *lock.Handle) error {
			w.Srv.Delete(w.line("deploy")[0])
			<-ctx.Done()
			require.ErrorIs(w, context.Cause(ctx), lock.ErrDeleted)
			return nil
		})
		require.ErrorIs(w, err, lock.ErrLost)
		require.ErrorIs(w, err, lock.ErrDeleted)
	})
}

func TestNamesNeverSeeEachOther(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		for _, name := range []string{"a", "a/b", "a/", "/a", "a%2Fb", "a\x00", "\xff", "größe", "..", " "} {
			h, err := lock.New(s, name).TryAcquire(w.Context())
			require.NoError(w, err, "%q", name)
			defer w.release(h)
		}
	})
}

func TestABadNameOrOptionIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		for want, m := range map[string]*lock.Mutex{
			"empty":                  lock.New(s, ""),
			"longer than 512 bytes":  lock.New(s, strings.Repeat("x", 513)),
			"no session":             lock.New(nil, "deploy"),
			"the prefix is empty":    lock.New(s, "deploy", lock.WithPrefix("")),
			"larger than 4096 bytes": lock.New(s, "deploy", lock.WithMetadata(map[string]string{"k": strings.Repeat("v", 5000)})),
		} {
			_, err := m.Acquire(w.Context())
			require.ErrorContains(w, err, want)
			_, err = m.TryAcquire(w.Context())
			require.ErrorContains(w, err, want)
			require.ErrorContains(w, m.Do(w.Context(), nil), want)
		}
	})
}

func TestNothingIsSentForAContextThatHasEndedOrASessionThatHas(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		m := lock.New(s, "deploy")
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		before := w.Srv.Requests()["/v3/kv/txn"]
		_, err := m.Acquire(ctx)
		require.ErrorIs(w, err, context.Canceled)
		require.NoError(w, s.Close(w.Context()))
		_, err = m.Acquire(w.Context())
		require.ErrorIs(w, err, etcd.ErrSessionClosed)
		_, err = m.TryAcquire(w.Context())
		require.ErrorIs(w, err, etcd.ErrSessionClosed)
		require.Equal(w, before, w.Srv.Requests()["/v3/kv/txn"])
	})
}

func TestUnderARawPrefixTheKeysOfOtherClientsStandInTheSameLine(t *testing.T) {
	inBubble(t, func(w *world) {
		// As etcd's Go client writes it: prefix, lease, no value.
		native := "locks/deploy/694d9a7c1f0b2e05"
		w.Srv.Put(native, nil)
		m := lock.New(w.Session(), "deploy", lock.WithPrefix("locks/deploy"))
		_, err := m.TryAcquire(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		c := w.start(w.Context(), m)
		w.waits(c)
		require.True(w, w.Srv.Delete(native))
		h := w.gets(c)
		require.True(w, strings.HasPrefix(w.Srv.Keys("locks/deploy/")[0], "locks/deploy/"))
		w.release(h)
	})
}

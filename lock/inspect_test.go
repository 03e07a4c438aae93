package lock_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

func TestHolderAndWaitersTellWhoIsThereAndSinceWhen(t *testing.T) {
	inBubble(t, func(w *world) {
		meta := lock.WithMetadata(map[string]string{"ticket": "OPS-17"})
		m := lock.New(w.Session(), "deploy", meta)
		_, err := m.Holder(w.Context())
		require.ErrorIs(w, err, lock.ErrNotHeld)
		since := time.Now()
		h := w.acquire(m)
		time.Sleep(time.Minute)
		var waiting []<-chan acquired
		for i := range 3 {
			meta := lock.WithMetadata(map[string]string{"build": strconv.Itoa(i)})
			waiting = append(waiting, w.start(w.Context(), lock.New(w.Session(), "deploy", meta)))
		}
		holder, err := m.Holder(w.Context())
		require.NoError(w, err)
		require.Zero(w, holder.Position)
		require.Equal(w, h.Token(), holder.Token)
		require.Equal(w, "OPS-17", holder.Metadata["ticket"])
		require.Equal(w, os.Getpid(), holder.PID)
		require.True(w, since.Equal(holder.Since))
		host, err := os.Hostname()
		require.NoError(w, err)
		require.Contains(w, holder.String(), "host "+host)
		waiters, err := m.Waiters(w.Context())
		require.NoError(w, err)
		require.Len(w, waiters, 3)
		for i, c := range waiters {
			require.Equal(w, i+1, c.Position)
			require.Equal(w, "writer", c.Kind)
			require.True(w, since.Add(time.Minute).Equal(c.Since))
			require.Equal(w, host, c.Host)
			require.Equal(w, os.Getpid(), c.PID)
			require.Equal(w, map[string]string{"build": strconv.Itoa(i)}, c.Metadata)
		}
		w.release(h)
		for _, c := range waiting {
			w.release(w.gets(c))
		}
	})
}

func TestAForeignContenderIsShownByItsKeyAndCountsAsHolder(t *testing.T) {
	inBubble(t, func(w *world) {
		for i, value := range []string{"", "garbage", `{"kind":""}`, `{"kind":"writer","weight":-1}`, "\x00\xff"} {
			name := string(rune('a' + i))
			key := lock.Root + name + "/694d9a7c1f0b2e05"
			rev := w.Srv.Put(key, []byte(value))
			m := lock.New(w.Session(), name)
			h, err := m.Holder(w.Context())
			require.NoError(w, err)
			require.Equal(w, rev, h.Token)
			require.Empty(w, h.Kind)
			_, err = m.TryAcquire(w.Context())
			require.ErrorIs(w, err, lock.ErrHeld)
			require.Contains(w, err.Error(), key)
			kv, _ := w.Srv.Get(key)
			require.Equal(w, value, string(kv.Value), "never destroyed")
		}
	})
}

func TestTheLoserOfABrokenLockSeesTheReasonAlsoWithinTheTimeItIsNotWatched(t *testing.T) {
	for _, held := range []time.Duration{0, time.Minute} {
		inBubble(t, func(w *world) {
			m := lock.New(w.Session(), "deploy")
			h := w.acquire(m)
			next := w.start(w.Context(), lock.New(w.Session(), "deploy"))
			time.Sleep(held)
			_, err := lock.New(w.Session(), "deploy").Break(w.Context(), h.Token(), "stuck since noon")
			require.NoError(w, err)
			n := w.gets(next)
			err = w.ended(h)
			var broken *lock.BrokenError
			require.ErrorAs(w, err, &broken)
			require.Equal(w, "stuck since noon", broken.Reason)
			require.Equal(w, os.Getpid(), broken.PID)
			require.Contains(w, h.Err().Error(), "stuck since noon")
			require.NoError(w, n.Err())
			w.release(n)
			require.Empty(w, w.line("deploy"))
		})
	}
}

func TestBreakTakesExactlyWhoWasMeant(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		h := w.acquire(m)
		waiter := w.start(w.Context(), lock.New(w.Session(), "deploy"))
		third := w.start(w.Context(), lock.New(w.Session(), "deploy"))
		_, err := m.Break(w.Context(), h.Token()+1000, "typo")
		require.ErrorIs(w, err, lock.ErrNotHeld)
		ws, err := m.Waiters(w.Context())
		require.NoError(w, err)
		_, err = m.Break(w.Context(), ws[0].Token, "not today")
		require.NoError(w, err)
		require.ErrorIs(w, w.fails(waiter), lock.ErrBroken)
		require.NoError(w, h.Err())
		w.waits(third)
		_, err = m.Break(w.Context(), ws[0].Token, "again")
		require.ErrorIs(w, err, lock.ErrNotHeld)
		w.release(h)
		w.release(w.gets(third))
		for _, bad := range []string{"", strings.Repeat("x", 1025)} {
			_, err = m.Break(w.Context(), 1, bad)
			require.ErrorContains(w, err, "the reason is")
		}
		_, err = m.Break(w.Context(), 0, "why not")
		require.ErrorContains(w, err, "token")
	})
}

func TestBreakWorksWhileEtcdIsFull(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		h := w.acquire(m)
		w.Srv.SetNoSpace(true)
		_, err := m.Break(w.Context(), h.Token(), "stuck")
		require.NoError(w, err)
		require.ErrorIs(w, w.ended(h), lock.ErrDeleted)
		require.Empty(w, w.line("deploy"))
	})
}

func TestAllListsEveryLockThatIsInUse(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		a, b := w.acquire(lock.New(s, "a/b")), w.acquire(lock.New(s, "größe"))
		c := w.start(w.Context(), lock.New(s, "a/b"))
		var got []string
		for st, err := range lock.All(w.Context(), s.Client()) {
			require.NoError(w, err)
			got = append(got, st.Name)
			require.Len(w, st.Holders, 1)
			if st.Name == "a/b" {
				require.Len(w, st.Waiters, 1)
			}
		}
		require.Equal(w, []string{"a/b", "größe"}, got)
		w.release(a)
		w.release(b)
		w.release(w.gets(c))
		w.Srv.Put(lock.Root+"a b/x", nil)
		var failure error
		for _, err := range lock.All(w.Context(), s.Client()) {
			failure = errors.Join(failure, err)
		}
		require.ErrorContains(w, failure, `a b/x`)
	})
}

func TestLookingAtALockNeedsNoSession(t *testing.T) {
	inBubble(t, func(w *world) {
		h := w.acquire(lock.New(w.Session(), "deploy"))
		c := w.Client()
		st, err := lock.Look(w.Context(), c, "deploy")
		require.NoError(w, err)
		require.Equal(w, h.Token(), st.Holders[0].Token)
		require.Equal(w, w.Srv.Revision(), st.Revision)
		_, err = lock.Look(w.Context(), c, "")
		require.ErrorContains(w, err, "empty")
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		_, err = lock.Look(ctx, c, "deploy")
		require.ErrorIs(w, err, context.Canceled)
		var e *etcd.Error
		require.ErrorAs(w, err, &e)
		w.release(h)
	})
}

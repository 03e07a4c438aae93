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

// reads is the reading side of a lock.
type reads struct{ *lock.RWMutex }

func (r reads) Acquire(ctx context.Context) (*lock.Handle, error) { return r.AcquireRead(ctx) }

func TestReadersShareAndAWriterExcludes(t *testing.T) {
	bothWays(t, func(w *world) {
		rw := func() *lock.RWMutex { return lock.NewRW(w.Session(), "catalog") }
		r1, r2 := w.acquire(reads{rw()}), w.acquire(reads{rw()})
		_, err := rw().TryAcquire(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		r3, err := rw().TryAcquireRead(w.Context())
		require.NoError(w, err)
		writer := w.start(w.Context(), rw())
		for _, h := range []*lock.Handle{r3, r1, r2} {
			w.waits(writer)
			w.release(h)
		}
		h := w.gets(writer)
		_, err = rw().TryAcquireRead(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		w.release(h)
		require.Empty(w, w.line("catalog"))
	})
}

func TestAWaitingWriterIsNotStarvedByReadersThatComeLater(t *testing.T) {
	bothWays(t, func(w *world) {
		rw := func() *lock.RWMutex { return lock.NewRW(w.Session(), "catalog") }
		first := w.acquire(reads{rw()})
		writer := w.start(w.Context(), rw())
		late := w.start(w.Context(), reads{rw()})
		_, err := rw().TryAcquireRead(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		w.waits(late)
		w.release(first)
		h := w.gets(writer)
		w.waits(late)
		w.release(h)
		w.release(w.gets(late))
	})
}

func TestReadersBehindAWriterWakeTogether(t *testing.T) {
	inBubble(t, func(w *world) {
		rw := func() *lock.RWMutex { return lock.NewRW(w.Session(), "catalog") }
		front := w.acquire(rw())
		writer := w.start(w.Context(), rw())
		var readers []<-chan acquired
		for range 20 { // more than a reader looks at first
			readers = append(readers, w.start(w.Context(), reads{rw()}))
		}
		last := w.start(w.Context(), rw())
		w.release(front)
		h := w.gets(writer)
		before := w.Srv.Requests()
		at := time.Now()
		w.release(h)
		var held []*lock.Handle
		for _, c := range readers {
			held = append(held, w.gets(c))
		}
		w.Settle()
		require.Equal(w, at, time.Now())
		after := w.Srv.Requests()
		require.Equal(w, before["/v3/kv/range"], after["/v3/kv/range"], "one event each, and no read")
		w.waits(last)
		for _, r := range held {
			w.release(r)
		}
		w.release(w.gets(last))
		require.Empty(w, w.line("catalog"))
	})
}

func TestAReaderBehindManyReadersFindsTheWriterInFrontOfThem(t *testing.T) {
	bothWays(t, func(w *world) {
		rw := func() *lock.RWMutex { return lock.NewRW(w.Session(), "catalog") }
		front := w.acquire(rw())
		var readers []<-chan acquired
		for range 40 {
			readers = append(readers, w.start(w.Context(), reads{rw()}))
		}
		for _, c := range readers {
			w.waits(c)
		}
		w.release(front)
		for _, c := range readers {
			w.release(w.gets(c))
		}
	})
}

func TestAWriterWhoGivesUpLetsTheReadersBehindItIn(t *testing.T) {
	bothWays(t, func(w *world) {
		rw := func() *lock.RWMutex { return lock.NewRW(w.Session(), "catalog") }
		first := w.acquire(reads{rw()})
		ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
		defer cancel()
		writer := w.start(ctx, rw())
		reader := w.start(w.Context(), reads{rw()})
		w.waits(reader)
		require.ErrorIs(w, w.fails(writer), context.DeadlineExceeded)
		w.release(w.gets(reader))
		w.release(first)
	})
}

func TestADowngradeLetsReadersInAndKeepsWritersOut(t *testing.T) {
	bothWays(t, func(w *world) {
		s := w.Session()
		rw := func() *lock.RWMutex { return lock.NewRW(w.Session(), "catalog") }
		h := w.acquire(lock.NewRW(s, "catalog"))
		reader, writer := w.start(w.Context(), reads{rw()}), w.start(w.Context(), rw())
		behind := w.start(w.Context(), reads{rw()})
		require.True(w, w.guarded(s, h))
		r, err := h.Downgrade(w.Context())
		require.NoError(w, err)
		other := w.gets(reader)
		w.waits(writer)
		w.waits(behind)

		require.ErrorIs(w, h.Err(), lock.ErrDowngraded)
		require.ErrorIs(w, context.Cause(h.Context()), lock.ErrDowngraded)
		require.False(w, w.guarded(s, h), "a writer's guard after the downgrade")
		require.NoError(w, r.Err())
		require.NoError(w, r.Context().Err())
		require.True(w, w.guarded(s, r))
		require.Equal(w, h.Token(), r.Token())
		_, err = h.Downgrade(w.Context())
		require.ErrorIs(w, err, lock.ErrDowngraded)
		_, err = r.Downgrade(w.Context())
		require.ErrorContains(w, err, "not held for writing")
		require.NoError(w, h.Release(w.Context()))
		require.NoError(w, r.Err(), "the old handle's release is not the new one's")

		w.release(r)
		require.False(w, w.guarded(s, r))
		w.release(other)
		wr := w.gets(writer)
		w.release(wr)
		w.release(w.gets(behind))
		require.Empty(w, w.line("catalog"))
	})
}

func TestADowngradeSurvivesWhateverBefallsItsRequest(t *testing.T) {
	for name, f := range map[string]etcdtest.Fault{
		"the request is lost":    {LoseRequest: true},
		"the reply is lost":      {LoseReply: true},
		"two replies are lost":   {LoseReply: true, Times: 2},
		"the reply is cut short": {CutReply: 10},
		"it is garbage":          {Reply: etcdtest.TextReply(502, "text/html", "<html>")},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(w *world) {
				s := w.Session()
				h := w.acquire(lock.NewRW(s, "catalog"))
				f.Path, f.Times = "/v3/kv/txn", max(f.Times, 1)
				w.Srv.Inject(f)
				r, err := h.Downgrade(w.Context())
				require.NoError(w, err)
				require.True(w, w.guarded(s, r))
				require.False(w, w.guarded(s, h))
				w.release(w.acquire(reads{lock.NewRW(w.Session(), "catalog")}))
				w.release(r)
			})
		})
	}
}

func TestADowngradeOfALostLockSaysSo(t *testing.T) {
	bothWays(t, func(w *world) {
		h := w.acquire(lock.NewRW(w.Session(), "catalog"))
		w.Srv.Delete(w.line("catalog")[0])
		_, err := h.Downgrade(w.Context())
		require.ErrorIs(w, err, lock.ErrLost)
		require.ErrorIs(w, err, lock.ErrDeleted)
		require.Empty(w, w.line("catalog"))
	})
}

func TestADowngradeWhoseContextEndedCanBeRepeatedOrReleased(t *testing.T) {
	for _, release := range []bool{false, true} {
		bothWays(t, func(w *world) {
			s := w.Session()
			h := w.acquire(lock.NewRW(s, "catalog"))
			ctx, cancel := context.WithCancel(w.Context())
			cancel()
			_, err := h.Downgrade(ctx)
			require.ErrorIs(w, err, context.Canceled)
			require.ErrorIs(w, h.Err(), lock.ErrDowngraded)
			if release {
				w.release(h)
			} else {
				r, err := h.Downgrade(w.Context())
				require.NoError(w, err)
				w.release(r)
			}
			require.Empty(w, w.line("catalog"))
		})
	}
}

func TestDoMayDowngradeAndReleasesWhatIsLeft(t *testing.T) {
	bothWays(t, func(w *world) {
		rw := lock.NewRW(w.Session(), "catalog")
		require.NoError(w, rw.Do(w.Context(), func(ctx context.Context, h *lock.Handle) error {
			_, err := h.Downgrade(ctx)
			require.NoError(w, err)
			require.NoError(w, ctx.Err())
			return rw.DoRead(ctx, func(context.Context, *lock.Handle) error { return nil })
		}))
		require.Empty(w, w.line("catalog"))
	})
}

func TestAMutexOfTheSameNameIsAWriterToAReadWriteLock(t *testing.T) {
	bothWays(t, func(w *world) {
		h := w.acquire(lock.New(w.Session(), "catalog"))
		reader := w.start(w.Context(), reads{lock.NewRW(w.Session(), "catalog")})
		w.waits(reader)
		w.release(h)
		r := w.gets(reader)
		c := w.start(w.Context(), lock.New(w.Session(), "catalog"))
		w.waits(c)
		w.release(r)
		w.release(w.gets(c))
	})
}

func TestAReadersLossIsItsOwn(t *testing.T) {
	bothWays(t, func(w *world) {
		other, s := w.apart()
		a, b := w.acquire(reads{lock.NewRW(other, "catalog")}), w.acquire(reads{lock.NewRW(s, "catalog")})
		w.Srv.RevokeLease(int64(s.Lease()))
		require.ErrorIs(w, w.ended(b), etcd.ErrSessionRevoked)
		require.False(w, w.guardedBy(other, b.Guard()))
		require.NoError(w, a.Err())
		w.release(a)
	}, three...)
}

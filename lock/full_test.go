package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/lock"
)

// Whoever is admitted after a wait tells those behind it by a write, and that is
// refused while etcd is full.
func TestNobodyWaitsForFreePermitsForLongWhileEtcdIsFull(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := func(n int64) permits { return permits{lock.NewSemaphore(w.Session(), "licences", 4), n} }
		held := w.acquire(sem(4))
		var waiting []<-chan acquired
		for range 6 {
			waiting = append(waiting, w.start(w.Context(), sem(1)))
		}
		w.Srv.SetNoSpace(true)
		w.release(held)
		began := time.Now()
		var got []*lock.Handle
		for _, c := range waiting[:4] {
			got = append(got, w.gets(c))
		}
		require.Less(w, time.Since(began), 15*time.Second)
		w.waits(waiting[4])
		w.waits(waiting[5])
		w.release(got[0])
		w.release(w.gets(waiting[4]))
		w.release(w.gets(waiting[5]))
		for _, h := range got[1:] {
			w.release(h)
		}
		w.Srv.SetNoSpace(false)
	})
}

// The look that they have meanwhile finds what there is to find in a lock of
// several as well, and the end of the wait ends it.
func TestAWaitThatLooksAgainEndsWithItsContext(t *testing.T) {
	bothWays(t, func(w *world) {
		sem := func(n int64) permits { return permits{lock.NewSemaphore(w.Session(), "licences", 4), n} }
		held := w.acquire(sem(4))
		first := w.start(w.Context(), sem(4))
		ctx, cancel := context.WithTimeout(w.Context(), 25*time.Second)
		defer cancel()
		began := time.Now()
		_, err := sem(1).Acquire(ctx)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.Less(w, time.Since(began), 25*time.Second+w.Slack(4)+time.Second)
		require.Len(w, w.contenders("licences"), 2)
		w.release(held)
		w.release(w.gets(first))
	})
}

// Each of them looks for itself now and then, at what is needed to know that it
// still has to wait: not at the whole line each time.
func TestWhatThoseWhoWaitForPermitsLookAtDoesNotGrowWithTheLine(t *testing.T) {
	inBubble(t, func(w *world) {
		s, ear := w.listening()
		sem := permits{lock.NewSemaphore(s, "licences", 2), 1}
		held := []*lock.Handle{w.acquire(sem), w.acquire(sem)}
		const many = 300
		ctx, cancel := context.WithCancel(w.Context())
		var waiting []<-chan acquired
		for range many {
			c := w.start(ctx, sem)
			w.waits(c)
			waiting = append(waiting, c)
		}
		ear.disturbed()
		time.Sleep(time.Minute)
		require.Less(w, ear.heard.Load(), int64(6*many*4<<10)) // a look each 10 s, 4 KiB each
		w.Srv.SetNoSpace(true)                                 // nobody can tell it of the permits that it gets
		w.release(held[0])
		w.release(held[1])
		w.gets(waiting[0])
		w.gets(waiting[1])
		w.Srv.SetNoSpace(false)
		cancel()
		for _, c := range waiting[2:] {
			w.fails(c)
		}
	})
}

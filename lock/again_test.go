package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/lock"
)

func TestALockTakenAfterAReleaseThatHadToBeRepeatedStays(t *testing.T) {
	inBubble(t, func(w *world) {
		m := lock.New(w.Session(), "deploy")
		h := w.acquire(m)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		require.ErrorIs(w, h.Release(ctx), context.Canceled) // left to the session
		w.release(h)
		again := w.acquire(m)
		time.Sleep(time.Minute)
		require.NoError(w, again.Err())
		w.release(again)
	})
}

package lock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// A lease has whole seconds, and at least two: a quarantine is never shorter than was
// asked for, and those who ask for what comes to the same agree.
func TestAQuarantineIsRoundedUpToWholeSeconds(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		time.Nanosecond:         2 * time.Second,
		2 * time.Second:         2 * time.Second,
		2001 * time.Millisecond: 3 * time.Second,
		24 * time.Hour:          24 * time.Hour,
	} {
		inBubble(t, func(w *world) {
			mutex := func(s *etcd.Session, d time.Duration) *lock.Mutex {
				return lock.New(s, "deploy", lock.WithQuarantine(d))
			}
			h := w.acquire(mutex(w.Session(), asked))
			st, err := lock.Look(w.Context(), w.Client(), "deploy")
			require.NoError(w, err)
			require.Equal(w, want, st.Quarantine)
			w.release(h)
			w.release(w.acquire(mutex(w.Session(), want)))
		})
	}
}

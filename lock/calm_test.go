package lock_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// A lock that nobody else wants for a while is taken by a shorter transaction.

// calm takes and releases a lock until the line is known to be calm.
func (w *world) calm(m contender) {
	w.Helper()
	for range 10 {
		w.release(w.acquire(m))
	}
}

func TestACalmLockIsTakenByAShorterRequestAndAsSafely(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		m := lock.New(s, "deploy")
		var sizes []int
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Match: func(r *etcdtest.Request) bool {
			if body, _ := json.Marshal(r.Body); bytes.Contains(body, []byte("request_put")) {
				sizes = append(sizes, len(body))
			}
			return false
		}})
		w.calm(m)
		require.Less(w, sizes[9], sizes[0]*3/4)

		// Somebody else is there: it waits as ever.
		other := w.acquire(lock.New(w.Session(), "deploy"))
		c := w.start(w.Context(), m)
		w.waits(c)
		require.Len(w, w.line("deploy"), 2)
		w.release(other)
		w.release(w.gets(c))

		// And other kinds of locks are found out.
		w.calm(m)
		w.Srv.Put(lock.Root+"deploy/settings", []byte(`{"kind":"semaphore","limit":3}`))
		_, err := m.Acquire(w.Context())
		require.ErrorIs(w, err, lock.ErrMismatch)
	})
}

func TestACalmLockSurvivesWhateverBefallsItsRequests(t *testing.T) {
	for _, m := range mishaps {
		if linetest.UnderRace && !m.Telling {
			continue
		}
		for _, k := range []kind{kinds[0], kinds[1]} {
			t.Run(k.name+", "+m.Name, func(t *testing.T) {
				for step := 0; ; step++ {
					hit := false
					inBubble(t, func(w *world) {
						calm := k
						calm.mine = func(s *etcd.Session) trier {
							made := k.mine(s)
							w.calm(made)
							return made
						}
						hit = w.suffer(calm, m, step, false)
					}, three...)
					if !hit {
						break
					}
				}
			})
		}
	}
}

func TestALateAttemptOnACalmLockLeavesNoOrphan(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		m := lock.New(s, "deploy")
		w.calm(m)
		in, apply := w.Late()
		h := w.acquire(m) // repeated after the first attempt's time was up
		require.Equal(w, 1, in.Hits())
		w.release(h)
		apply()
		time.Sleep(2 * s.TTL())
		require.Empty(w, w.line("deploy"))
		w.release(w.acquire(lock.New(other, "deploy")))
	}, three...)
}

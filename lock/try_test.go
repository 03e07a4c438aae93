package lock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// Others who come and go all the time, with whom it can share, do not keep a try
// from getting in, however many they are.
func TestATryAmongManyWhoShareTakesFewRequests(t *testing.T) {
	for name, mk := range map[string]func(*etcd.Session) trier{
		"readers": aReader,
		"permits": func(s *etcd.Session) trier { return permits{lock.NewSemaphore(s, "licences", 100), 1} },
		"several": func(s *etcd.Session) trier {
			return several{lock.New(s, s.Lease().String()), lock.NewRW(s, "catalog").Reader(), lock.NewSemaphore(s, "licences", 100).Weight(1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, linetest.Latency, func(w *world) {
				const parties = 16
				ctx, cancel := context.WithTimeout(w.Context(), 600*time.Millisecond)
				defer cancel()
				var (
					wg  sync.WaitGroup
					mu  sync.Mutex
					got int
				)
				ms := make([]trier, parties)
				for i := range ms {
					ms[i] = mk(w.Session())
					w.release(w.tries(ms[i]))
				}
				before := w.Srv.Requests()["/v3/kv/txn"]
				for _, m := range ms {
					wg.Go(func() {
						for ctx.Err() == nil {
							w.release(w.tries(m))
							mu.Lock()
							got++
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				sent := w.Srv.Requests()["/v3/kv/txn"] - before
				require.Greater(w, got, 2*parties)
				require.LessOrEqual(w, sent, 6*got, "with the release")
			})
		})
	}
}

// tries tries, which must succeed.
func (w *world) tries(m trier) *lock.Handle {
	w.Helper()
	h, err := m.TryAcquire(w.Context())
	require.NoError(w, err)
	return h
}

// Nobody gets in beside whom it excludes, and who does not get in leaves.
func TestTriesAmongManyWhoShareAreRefusedWhereTheyExclude(t *testing.T) {
	inTime(t, linetest.Latency, func(w *world) {
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
		defer cancel()
		var (
			wg              sync.WaitGroup
			mu              sync.Mutex
			in, got, denied int
		)
		const limit, parties = 10, 12
		for i := range parties {
			weight := 1
			if i == 0 {
				weight = limit
			}
			m := permits{lock.NewSemaphore(w.Session(), "licences", limit), int64(weight)}
			wg.Go(func() {
				for ctx.Err() == nil {
					h, err := m.TryAcquire(w.Context())
					if errors.Is(err, lock.ErrHeld) {
						mu.Lock()
						denied++
						mu.Unlock()
						time.Sleep(time.Millisecond)
						continue
					}
					require.NoError(w, err)
					mu.Lock()
					in += weight
					require.LessOrEqual(w, in, limit)
					got++
					mu.Unlock()
					time.Sleep(time.Millisecond)
					mu.Lock()
					in -= weight
					mu.Unlock()
					w.release(h)
				}
			})
		}
		wg.Wait()
		require.Greater(w, got, 50)
		require.Greater(w, denied, 10)
		require.Empty(w, permitsIn(w))
	})
}

// permitsIn gives the keys in the semaphore's line.
func permitsIn(w *world) (keys []string) {
	for _, key := range w.line("licences") {
		if key != lock.Root+"licences/settings" {
			keys = append(keys, key)
		}
	}
	return keys
}

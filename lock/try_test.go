package lock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
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

// enterInLine has a try of one of two permits enter the line at last, because the
// line was another each time that it looked: behind two that have both permits. Its
// reply is lost, and it asks again when ask is closed.
func (w *world) enterInLine() (got <-chan error, held, other *lock.Handle, ask chan struct{}) {
	first, second := sem(w.Session()), sem(w.Session())
	w.release(w.tries(first)) // the settings are there
	held = w.tries(first)
	next := func(lose bool) (*etcdtest.Injected, chan struct{}) {
		hold := make(chan struct{})
		return w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Members: []int{1}, Times: 1, Hold: hold, LoseReply: lose}), hold
	}
	in, hold := next(false)
	c := make(chan error, 1)
	troubled := sem(w.SessionOf(w.ClientAt(1)))
	go func() {
		_, err := troubled.TryAcquire(w.Context())
		c <- err
	}()
	for i := range 3 {
		require.NoError(w, in.Await(w.Context(), 1))
		if i > 0 { // the first attempt counts on an empty line
			w.release(held)
			held = w.tries(first)
		}
		before := hold
		in, hold = next(i == 2)
		close(before)
	}
	require.NoError(w, in.Await(w.Context(), 1))
	other = w.tries(second)
	before := hold
	in, ask = next(false)
	close(before)
	require.NoError(w, in.Await(w.Context(), 1))
	return c, held, other, ask
}

func sem(s *etcd.Session) permits { return permits{lock.NewSemaphore(s, "licences", 2), 1} }

func TestATryInLineWhoseReplyIsLostGoesByTheLineAsItIs(t *testing.T) {
	inBubble(t, func(w *world) {
		got, _, _, ask := w.enterInLine()
		close(ask)
		require.ErrorIs(w, <-got, lock.ErrHeld)
		require.Len(w, permitsIn(w), 2)
	}, linetest.Three...)
}

// It may find itself in only after somebody behind it has seen it wait. Whoever that
// is watches its key, and must hear of it.
func TestWhoStandsBehindATryHearsThatItIsIn(t *testing.T) {
	inBubble(t, func(w *world) {
		got, held, other, ask := w.enterInLine()
		behind := sem(w.Session())
		waiting := linetest.Start(w, func() (*lock.Handle, error) { return behind.Acquire(w.Context()) })
		linetest.Waits(w, waiting)
		w.release(held)
		close(ask)
		require.NoError(w, <-got)
		linetest.Waits(w, waiting)
		w.release(other)
		w.Settle()
		select {
		case o := <-waiting:
			require.NoError(w, o.Err)
		default:
			w.Fatal("there is a permit, and it waits")
		}
	}, linetest.Three...)
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

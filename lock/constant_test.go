package lock_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// A lock in constant use: the same contenders take it again and again, and what
// one has watched the next can go on with.

func TestInALockInConstantUseAContenderCostsTwoRequestsAndNoWatch(t *testing.T) {
	inBubble(t, func(w *world) {
		a, b := lock.New(w.Session(), "deploy"), lock.New(w.Session(), "deploy")
		held := w.acquire(a)
		turn := func(m *lock.Mutex) {
			c := w.start(w.Context(), m)
			w.release(held)
			held = w.gets(c)
		}
		for range 3 { // the first ones make the watches
			turn(b)
			turn(a)
		}
		before, watches := w.Srv.Requests(), w.Srv.Watches()
		const turns = 20
		for range turns {
			turn(b)
			turn(a)
		}
		after := w.Srv.Requests()
		require.Equal(w, before["/v3/kv/txn"]+2*2*turns, after["/v3/kv/txn"])
		require.Equal(w, before["/v3/kv/range"], after["/v3/kv/range"])
		require.Equal(w, watches, w.Srv.Watches())
		w.release(held)
		time.Sleep(time.Second)
		require.Zero(w, w.Srv.Watches(), "what nobody wants any more is closed")
	})
}

func TestManyGoroutinesOfManySessionsTakeTurnsWithoutEnd(t *testing.T) {
	turns := 25
	if linetest.UnderRace {
		turns = 8
	}
	for name, trouble := range map[string]func(w *world, rnd *rand.Rand){
		"undisturbed":        func(*world, *rand.Rand) {},
		"watches break":      func(w *world, _ *rand.Rand) { w.Srv.DropWatches() },
		"history is trimmed": func(w *world, _ *rand.Rand) { _ = w.Srv.Compact(w.Srv.Revision()) },
		"events are held up": func(w *world, _ *rand.Rand) {
			w.Srv.StallWatches()
			time.Sleep(21 * time.Millisecond) // out of step with the server's rounds of catching up
			w.Srv.ResumeWatches()
		},
		"replies are lost": func(w *world, _ *rand.Rand) {
			in := w.Srv.Inject(etcdtest.Fault{LoseReply: true, Times: 2})
			time.Sleep(7 * time.Millisecond)
			in.Remove() // otherwise, where few are sent, all are lost
		},
		"waiters are deleted": func(w *world, rnd *rand.Rand) { deleteAWaiter(w, rnd) },
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(w *world) {
				rnd := rand.New(rand.NewPCG(1, 2))
				var (
					inside sync.Mutex
					wg     sync.WaitGroup
					done   = make(chan struct{})
				)
				for range 3 {
					m := lock.New(w.Session(), "deploy")
					for range 3 {
						wg.Go(func() {
							for range turns {
								ctx, cancel := context.WithTimeout(w.Context(), 10*time.Minute)
								h, err := m.Acquire(ctx)
								cancel()
								if err != nil {
									require.ErrorIs(w, err, lock.ErrDeleted)
									continue
								}
								if name != "waiters are deleted" && !inside.TryLock() {
									w.Error("two are in")
									return
								}
								time.Sleep(time.Millisecond)
								if name != "waiters are deleted" {
									inside.Unlock()
								}
								_ = h.Release(w.Context())
							}
						})
					}
				}
				go func() { wg.Wait(); close(done) }()
				for over := false; !over; {
					select {
					case <-done:
						over = true
					case <-time.After(30 * time.Millisecond):
						trouble(w, rnd)
					}
				}
				require.Empty(w, w.line("deploy"))
			})
		})
	}
}

// deleteAWaiter deletes the key of somebody who waits.
func deleteAWaiter(w *world, rnd *rand.Rand) {
	if keys := w.line("deploy"); len(keys) > 1 {
		w.Srv.Delete(keys[1+rnd.IntN(len(keys)-1)])
	}
}

// Within the time in which its own key was not watched yet, too.
func TestAWaiterWhoseKeyIsGoneDoesNotGetTheLockThatIsReleasedRightAfter(t *testing.T) {
	for _, turns := range []int{0, 4} { // of a fresh line, and of one in constant use
		inBubble(t, func(w *world) {
			a, b := lock.New(w.Session(), "deploy"), lock.New(w.Session(), "deploy")
			held := w.acquire(a)
			for i := range turns {
				c := w.start(w.Context(), []*lock.Mutex{b, a}[i%2])
				w.release(held)
				held = w.gets(c)
			}
			c := w.start(w.Context(), b)
			w.Srv.Delete(w.line("deploy")[1])
			w.Settle()
			w.release(held)
			require.ErrorIs(w, w.fails(c), lock.ErrDeleted)
			require.Empty(w, w.line("deploy"))
		})
	}
}

// watchLater has the next watch connection wait until the function is called.
func (w *world) watchLater() (let func()) {
	hold := make(chan struct{})
	w.Srv.DropWatches()
	w.Srv.Inject(etcdtest.Fault{Path: "/v3/watch", Hold: hold})
	return func() { close(hold) }
}

func TestAKeyThatGoesBeforeItIsWatchedIsMissed(t *testing.T) {
	inBubble(t, func(w *world) {
		a, b := lock.New(w.Session(), "deploy"), lock.New(w.Session(), "deploy")
		held := w.acquire(a)
		for i := range 5 {
			c := w.start(w.Context(), []*lock.Mutex{b, a}[i%2])
			w.release(held)
			held = w.gets(c)
		}
		// b holds, by a key that is not used again: a late attempt may create it.
		w.release(held)
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, LoseReply: true})
		w.release(w.acquire(b))
		held = w.acquire(a)
		let := w.watchLater()
		c := w.start(w.Context(), b)
		w.Srv.Delete(w.line("deploy")[1])
		let()
		w.Settle()
		w.release(held)
		require.ErrorIs(w, w.fails(c), lock.ErrDeleted)
	})
}

func TestAKeyThatGoesWhileALostReplyIsMadeGoodIsMissed(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		w.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, LoseReply: true})
		let := w.watchLater()
		c := w.start(w.Context(), lock.New(s, "deploy"))
		time.Sleep(time.Second)
		w.Srv.Delete(w.line("deploy")[0])
		let()
		require.ErrorIs(w, w.fails(c), lock.ErrDeleted)
		require.Empty(w, w.line("deploy"))
	})
}

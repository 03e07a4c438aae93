package lock_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

func quarantined(s *etcd.Session) *lock.Mutex {
	return lock.New(s, "deploy", lock.WithQuarantine(30*time.Second))
}

func TestAReleaseNeedsNoQuarantine(t *testing.T) {
	inBubble(t, func(w *world) {
		a, b := quarantined(w.Session()), quarantined(w.Session())
		at := time.Now()
		for range 3 {
			h := w.acquire(a)
			c := w.start(w.Context(), b)
			w.release(h)
			w.release(w.gets(c))
			h, err := a.TryAcquire(w.Context())
			require.NoError(w, err)
			w.release(h)
		}
		require.Equal(w, at, time.Now())
		require.Equal(w, []string{lock.Root + "deploy/settings"}, w.line("deploy"))
	})
}

func TestAfterAnUncleanLossNobodyGetsTheLockUntilTheQuarantineIsOver(t *testing.T) {
	for _, l := range losses {
		for _, waiting := range []bool{true, false} {
			t.Run(l.name, func(t *testing.T) {
				inBubble(t, func(w *world) {
					other, s := w.apart()
					h := w.acquire(quarantined(s))
					var c <-chan acquired
					if waiting {
						c = w.start(w.Context(), quarantined(other))
					}
					var key string
					for _, k := range w.line("deploy") {
						if kv, _ := w.Srv.Get(k); kv.CreateRevision == h.Token() {
							key = k
						}
					}
					l.does(w, s, key)
					w.ended(h)
					if !waiting {
						time.Sleep(s.TTL()) // its lease has run out, too
						_, err := quarantined(other).TryAcquire(w.Context())
						require.ErrorIs(w, err, lock.ErrHeld)
						require.ErrorIs(w, err, lock.ErrQuarantine)
						c = w.start(w.Context(), quarantined(other))
					}
					time.Sleep(29 * time.Second)
					w.waits(c)
					st, err := lock.Look(w.Context(), other.Client(), "deploy")
					require.NoError(w, err)
					require.True(w, st.InQuarantine)
					require.Equal(w, 30*time.Second, st.Quarantine)
					require.Empty(w, st.Holders)
					require.Len(w, st.Waiters, 1)
					require.ErrorIs(w, lock.Forget(w.Context(), other.Client(), "deploy"), lock.ErrHeld)
					n := w.gets(c)
					st, err = lock.Look(w.Context(), other.Client(), "deploy")
					require.NoError(w, err)
					require.False(w, st.InQuarantine)
					require.Len(w, st.Holders, 1)
					w.release(n)
					require.NoError(w, lock.Forget(w.Context(), other.Client(), "deploy"))
					require.Empty(w, w.line("deploy"))
				}, three...)
			})
		}
	}
}

func TestAQuarantinePassesAlsoIfOnlyTriesAskForTheLock(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		h := w.acquire(quarantined(s))
		w.Srv.RevokeLease(int64(s.Lease()))
		w.ended(h)
		tries := 0
		for {
			h, err := quarantined(other).TryAcquire(w.Context())
			if err == nil {
				w.release(h)
				break
			}
			require.ErrorIs(w, err, lock.ErrQuarantine)
			tries++
			require.LessOrEqual(w, tries, 33, "it does not pass")
			time.Sleep(time.Second)
		}
		require.GreaterOrEqual(w, tries, 29)
	}, three...)
}

func TestAWaitThatEndsInAQuarantineSaysSoAndLeavesTheLine(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		h := w.acquire(quarantined(s))
		w.Srv.RevokeLease(int64(s.Lease()))
		w.ended(h)
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		defer cancel()
		_, err := quarantined(other).Acquire(ctx)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.ErrorIs(w, err, lock.ErrQuarantine)
		require.Len(w, w.line("deploy"), 2, "the settings and the tenure")
		// It goes on running for whoever comes next.
		c := w.start(w.Context(), quarantined(other))
		time.Sleep(24 * time.Second)
		w.waits(c)
		at := time.Now()
		w.release(w.gets(c))
		require.Less(w, time.Since(at), 5*time.Second)
	}, three...)
}

func TestAWaiterThatDiesCausesNoQuarantine(t *testing.T) {
	inBubble(t, func(w *world) {
		other, s := w.apart()
		h := w.acquire(quarantined(other))
		second := w.start(w.Context(), quarantined(s))
		third := w.start(w.Context(), quarantined(other))
		w.Srv.RevokeLease(int64(s.Lease()))
		w.fails(second)
		at := time.Now()
		w.release(h)
		w.release(w.gets(third))
		require.Equal(w, at, time.Now())
	}, three...)
}

func TestAQuarantineIsBegunAnewWhereItsLeaseIsOverBeforeItIsUsed(t *testing.T) {
	for name, f := range map[string]etcdtest.Fault{
		"the lease was long in coming": {Path: "/v3/lease/grant", DelayReply: 4 * time.Second},
		"its use was long under way":   {Match: func(r *etcdtest.Request) bool { return r.Puts(lock.Root + "deploy/held") }, Delay: 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				short := func(s *etcd.Session) *lock.Mutex { return lock.New(s, "deploy", lock.WithQuarantine(2*time.Second)) }
				other, s := w.apart()
				h := w.acquire(short(other))
				w.Srv.RevokeLease(int64(other.Lease()))
				w.ended(h)
				f.Members, f.Times = []int{1}, 2 // of the second kind the first is to begin
				in := w.Srv.Inject(f)
				_, err := short(s).TryAcquire(w.Context())
				require.ErrorIs(w, err, lock.ErrQuarantine)
				w.release(w.acquire(short(s)))
				require.Equal(w, 2, in.Hits())
			}, three...)
		})
	}
}

// Two find the lock lost at a time. The lease of the second is of no use, and has
// run out before it is given back.
func TestALeaseThatAQuarantineDoesNotNeedIsNotMissed(t *testing.T) {
	inBubble(t, func(w *world) {
		short := func(s *etcd.Session) *lock.Mutex { return lock.New(s, "deploy", lock.WithQuarantine(2*time.Second)) }
		other, s := w.apart()
		h := w.acquire(short(other))
		w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Times: 1, Skip: 1, Delay: 4 * time.Second, // the first is to begin
			Match: func(r *etcdtest.Request) bool { return r.Puts(lock.Root + "deploy/held") }})
		c := w.start(w.Context(), short(s))
		_, err := lock.Break(w.Context(), other.Client(), "deploy", h.Token(), "stuck")
		require.NoError(w, err)
		w.Settle()
		w.Srv.Put(lock.Root+"deploy/held", []byte(`{"key":"x","nonce":"y"}`)) // somebody else was there
		w.release(w.gets(c))
	}, three...)
}

// The session lives on, and its next contender must not be taken for the one that
// was lost.
func TestWhoLosesTheLockAndWaitsForItAgainIsNoHolderDuringTheQuarantine(t *testing.T) {
	inBubble(t, func(w *world) {
		m := quarantined(w.Session())
		h := w.acquire(m)
		_, err := m.Break(w.Context(), h.Token(), "stuck")
		require.NoError(w, err)
		w.ended(h)
		require.ErrorIs(w, h.Release(w.Context()), lock.ErrBroken)
		c := w.start(w.Context(), m)
		st, err := m.State(w.Context())
		require.NoError(w, err)
		require.Empty(w, st.Holders)
		require.Len(w, st.Waiters, 1)
		require.True(w, st.InQuarantine)
		w.release(w.gets(c))
	})
}

func TestATryThatIsCarriedOutLateCausesNoQuarantine(t *testing.T) {
	for skip, step := range []string{"it enters the line", "it says that it holds"} {
		t.Run(step, func(t *testing.T) {
			inBubble(t, func(w *world) {
				other, s := w.apart()
				w.release(w.acquire(quarantined(other)))
				hold := make(chan struct{})
				key := lock.Root + "deploy/" + s.Lease().String() + "-"
				in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/txn", Skip: skip, Times: 1, Late: hold})
				ctx, cancel := context.WithTimeout(w.Context(), time.Second)
				defer cancel()
				_, err := quarantined(s).TryAcquire(ctx)
				require.ErrorIs(w, err, context.DeadlineExceeded)
				require.Equal(w, 1, in.Hits())
				close(hold)
				time.Sleep(s.TTL())
				require.True(w, slices.ContainsFunc(w.Srv.Events(), func(ev etcdtest.Event) bool { return strings.HasPrefix(ev.KV.Key, key) }), "it was not carried out")
				at := time.Now()
				w.release(w.acquire(quarantined(other)))
				require.Equal(w, at, time.Now())
			}, three...)
		})
	}
}

func TestAllPartiesMustAgreeOnTheQuarantine(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		for _, held := range []bool{false, true} {
			h := w.acquire(quarantined(s))
			if !held {
				w.release(h)
			}
			for _, m := range []contender{
				lock.New(s, "deploy"),
				lock.New(s, "deploy", lock.WithQuarantine(time.Minute)),
				lock.NewRW(s, "deploy"),
				reads{lock.NewRW(s, "deploy")},
				permits{lock.NewSemaphore(s, "deploy", 3), 1},
			} {
				_, err := m.Acquire(w.Context())
				require.ErrorIs(w, err, lock.ErrMismatch)
			}
			if held {
				w.release(h)
			}
		}
	})
}

func TestABadQuarantineIsAClearError(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.Session()
		for want, m := range map[string]contender{
			"not between 0 and 24h": lock.New(s, "a", lock.WithQuarantine(-1)),
			"raw prefix":            lock.New(s, "a", lock.WithQuarantine(time.Minute), lock.WithPrefix("p")),
			"only a Mutex":          lock.NewRW(s, "a", lock.WithQuarantine(time.Minute)),
		} {
			_, err := m.Acquire(w.Context())
			require.ErrorContains(w, err, want)
		}
	})
}

func TestAQuarantineSurvivesLostReplies(t *testing.T) {
	for step := range 14 {
		for name, f := range map[string]etcdtest.Fault{"reply": {LoseReply: true}, "request": {LoseRequest: true}} {
			t.Run(name, func(t *testing.T) {
				inBubble(t, func(w *world) {
					other, s := w.apart()
					third := w.Session()
					h := w.acquire(quarantined(other))
					f.Members, f.Skip, f.Times = []int{1}, step, 1
					w.Srv.Inject(f)
					c := w.start(w.Context(), quarantined(s))
					w.Srv.RevokeLease(int64(other.Lease()))
					w.ended(h)
					n := w.gets(c)
					require.NoError(w, n.Err())
					w.release(n)
					at := time.Now()
					w.release(w.acquire(quarantined(third)))
					require.Less(w, time.Since(at), time.Second, "it was released")
				}, three...)
			})
		}
	}
}

package lock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/lock"
)

// What locks of every kind cost, where nobody is in the way and where somebody is.

func TestALockOfAnyKindThatNobodyElseWantsIsTakenByOneRequestAndReleasedByOne(t *testing.T) {
	for _, k := range kinds {
		if k.between != nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				m := k.mine(w.Session())
				w.release(w.acquire(m)) // what all parties agree on stands there from now on
				for range 6 {           // also when the line is known to be calm
					before, revision := w.Srv.Requests(), w.Srv.Revision()
					h := w.acquire(m)
					acquire := 1
					for _, name := range k.locks {
						if name == "careful" { // has a quarantine
							acquire++
						}
					}
					taken := w.Srv.Requests()
					require.Equal(w, before["/v3/kv/txn"]+acquire, taken["/v3/kv/txn"])
					require.Equal(w, revision+int64(acquire), w.Srv.Revision())
					w.release(h)
					after := w.Srv.Requests()
					require.Equal(w, taken["/v3/kv/txn"]+1, after["/v3/kv/txn"])
					require.Equal(w, revision+int64(acquire)+1, w.Srv.Revision())
					require.Equal(w, before["/v3/kv/range"], after["/v3/kv/range"])
					require.Zero(w, w.Srv.Watches())
				}
			})
		})
	}
}

// One commit puts the contender into all of its lines, whether it is in at once or
// has to wait: so it stands at the same place in the order of arrival everywhere.
func TestWhoAsksForSeveralEntersAllLinesInOneCommit(t *testing.T) {
	for _, contended := range []bool{false, true} {
		bothWays(t, func(w *world) {
			w.release(w.acquire(aMix(w.Session()))) // the semaphore's limit is there
			var front *lock.Handle
			if contended {
				front = w.acquire(aMixForItself(w.Session()))
			}
			s := w.Session()
			revision := w.Srv.Revision()
			c := w.start(w.Context(), aMix(s))
			require.Equal(w, revision+1, w.Srv.Revision())
			places := 0
			for _, name := range []string{"deploy", "catalog", "licences"} {
				for _, key := range w.contenders(name) {
					kv, _ := w.Srv.Get(key)
					if kv.Lease == int64(s.Lease()) {
						require.Equal(w, revision+1, kv.CreateRevision, key)
						places++
					}
				}
			}
			require.Equal(w, 3, places)
			if contended {
				w.waits(c)
				w.release(front)
			}
			h := w.gets(c)
			require.Equal(w, revision+1, h.Token())
			w.release(h)
		})
	}
}

// The server looks after watches that begin in the past only every 100 ms. Here
// whoever waits has only just come, so that one would show.
func TestALockOfAnyKindIsHandedOverAtOnceAlsoToOneWhoHasJustCome(t *testing.T) {
	for _, k := range kinds {
		if k.try {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				other, s := w.Session(), w.Session()
				for range 3 {
					at := time.Now()
					front := w.acquire(k.front(other))
					c := w.start(w.Context(), k.mine(s))
					w.waits(c)
					w.release(front)
					h := w.gets(c)
					require.Equal(w, at, time.Now())
					w.release(h)
				}
				require.Empty(w, w.standing(k))
			})
		})
	}
}

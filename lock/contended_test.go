package lock_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// Where requests take time a contender still costs few of them, and everybody
// gets its turn.
func TestContendersShareFairlyAndCostFewRequests(t *testing.T) {
	const parties = 8
	for name, one := range map[string]struct {
		mk   func(s *etcd.Session, n int) trier
		most int // requests an acquisition, with its release
	}{
		"mutex": {func(s *etcd.Session, _ int) trier { return aMutex(s) }, 3},
		"readers and writers": {func(s *etcd.Session, n int) trier {
			if n%4 == 0 {
				return aWriter(s)
			}
			return aReader(s)
		}, 4},
		"permits": {func(s *etcd.Session, n int) trier {
			return permits{lock.NewSemaphore(s, "licences", 5), int64(n%3 + 1)}
		}, 6},
		"several": {func(s *etcd.Session, n int) trier {
			sem := lock.NewSemaphore(s, "licences", 5)
			switch n % 4 {
			case 0:
				return several{lock.New(s, "deploy"), sem.Weight(5)}
			case 1:
				return several{sem.Weight(3), lock.NewRW(s, "catalog").Writer()}
			}
			return several{lock.NewRW(s, "catalog").Reader(), sem.Weight(1)}
		}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, linetest.Latency, func(w *world) {
				var ms []trier
				for i := range parties {
					ms = append(ms, one.mk(w.Session(), i))
				}
				ctx, cancel := context.WithTimeout(w.Context(), 2*time.Second)
				defer cancel()
				got, before := make([]int, parties), w.requests()
				var wg sync.WaitGroup
				for i, m := range ms {
					wg.Go(func() {
						for ctx.Err() == nil {
							w.release(w.acquire(m))
							got[i]++
						}
					})
				}
				wg.Wait()
				sum := 0
				for _, n := range got {
					sum += n
				}
				require.Greater(w, 2*slices.Min(got), sum/parties, "%v", got)
				require.Greater(w, sum, 10*parties, "too little happened to tell anything")
				require.LessOrEqual(w, w.requests()-before, one.most*sum)
			})
		})
	}
}

// requests counts all requests so far.
func (w *world) requests() (n int) {
	for _, times := range w.Srv.Requests() {
		n += times
	}
	return n
}

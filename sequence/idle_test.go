package sequence_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sequence"
)

// Nothing is kept alive for a sequence.
func TestASequenceAtRestSendsNothing(t *testing.T) {
	inTime(t, someLatency, func(w *world) {
		var (
			wg  sync.WaitGroup
			all []*sequence.Cached
		)
		for range 3 { // that contend, and then leave off
			s := w.open("x")
			c := s.Cached(10)
			all = append(all, c)
			for range 2 {
				wg.Go(func() {
					for range 100 {
						w.next(s)
						w.cached(c, 1)
					}
				})
			}
		}
		wg.Wait()
		w.settle()
		before := w.srv.Requests()
		time.Sleep(time.Minute)
		require.Equal(w, before, w.srv.Requests())
		for _, c := range all {
			require.NoError(w, c.Close(w.Context()))
		}
	})
}

// With eight busy processes, where requests take time, each gets its share in the
// long run, few attempts fail, and a caller waits for some rows of commits.
func TestWhereRequestsTakeTimeBusyProcessesShareFairly(t *testing.T) {
	const processes, long = 8, 10 * time.Second
	inTime(t, someLatency, func(w *world) {
		w.next(w.open("x"))
		var (
			wg     sync.WaitGroup
			counts [processes]int
			worst  [processes]time.Duration
			begin  = time.Now()
			before = w.srv.Requests()["/v3/kv/txn"]
		)
		for i := range processes {
			s := w.open("x")
			wg.Go(func() {
				for time.Since(begin) < long {
					asked := time.Now()
					w.next(s)
					counts[i]++
					worst[i] = max(worst[i], time.Since(asked))
				}
			})
		}
		wg.Wait()
		sum := 0
		for i := range processes {
			sum += counts[i]
			require.Less(w, worst[i], 10*time.Second)
		}
		sent := w.srv.Requests()["/v3/kv/txn"] - before
		w.Logf("%v, worst %v, %d requests", counts, worst, sent)
		require.Greater(w, sum, int(long/someLatency)/2)
		require.Less(w, sent, 2*sum)
		for _, n := range counts {
			require.Greater(w, n, sum/processes/3)
		}
	})
}

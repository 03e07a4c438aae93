package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// With commits that take a millisecond, a process that is alone adds a batch a
// millisecond. How many jobs of its 8 goroutines are in one is up to the scheduler:
// those of a batch that has just been answered go with the next or with the one
// after it. While one is under way all others queue up, so two have at least 8.
func TestProducersThatContendShareFairlyAndLoseLittle(t *testing.T) {
	for _, processes := range []int{1, 2, 4} {
		inBubble(t, func(w *world) {
			const long = 2 * time.Second
			w.push(w.queue(), "first")
			w.srv.Inject(etcdtest.Fault{Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
			ctx, cancel := context.WithTimeout(w.Context(), long)
			defer cancel()
			var (
				wg     sync.WaitGroup
				counts = make([][8]int, processes)
				before = w.srv.Revision()
				old, _ = w.srv.Get(data + "c/tail")
			)
			for p := range counts {
				q := w.queue()
				for g := range 8 {
					wg.Go(func() {
						for ctx.Err() == nil {
							if _, err := q.Enqueue(w.Context(), "job"); err == nil {
								counts[p][g]++
							}
						}
					})
				}
			}
			wg.Wait()
			ideal := int64(long / time.Millisecond)
			total, least := 0, int(8*ideal)
			for _, c := range counts {
				sum := 0
				for _, n := range c {
					sum += n
				}
				total += sum
				least = min(least, sum)
			}
			commits := w.srv.Revision() - before
			tail, _ := w.srv.Get(data + "c/tail")
			batches := tail.Version - old.Version
			w.Logf("%d processes: %d of %d batches, %d jobs, the least %d, %d commits", processes, batches, ideal, total, least, commits)
			require.Greater(w, batches, ideal/2, "little time is lost")
			require.Greater(w, int64(total), 3*batches, "callers share batches")
			require.Greater(w, least, total/processes/3)
			require.Less(w, commits, ideal*3/2, "attempts that fail are few")
			require.EqualValues(w, total+1, w.stats(w.queue()).Ready, "and nothing is lost or there twice")
		})
	}
}

// A producer that adds a job now and then gets through among those that add as
// fast as they can.
func TestASingleJobGetsThroughAmongBusyProducers(t *testing.T) {
	inBubble(t, func(w *world) {
		w.push(w.queue(), "first")
		w.srv.Inject(etcdtest.Fault{Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
		ctx, cancel := context.WithCancel(w.Context())
		var wg sync.WaitGroup
		for range 2 {
			q := w.queue()
			for range 8 {
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = q.Enqueue(w.Context(), "job")
					}
				})
			}
		}
		time.Sleep(time.Second)
		var (
			single = w.queue()
			sum    time.Duration
			worst  time.Duration
		)
		const jobs = 50
		for range jobs {
			begin := time.Now()
			_, err := single.Enqueue(w.Context(), "single")
			require.NoError(w, err)
			took := time.Since(begin)
			sum, worst = sum+took, max(worst, took)
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		w.Logf("mean %v, worst %v", sum/jobs, worst)
		require.Less(w, sum/jobs, 30*time.Millisecond)
		require.Less(w, worst, 200*time.Millisecond)
	})
}

// With commits of one process that take three times as long as the other's.
func TestAProducerThatIsFartherAwayGetsThroughBesideABusyOne(t *testing.T) {
	inBubble(t, func(w *world) {
		urls := w.srv.URLs()
		at := func(member int) *queue.Queue[string] {
			return queue.New[string](w.client(func(cfg *etcd.Config) { cfg.Endpoints = urls[member : member+1] }), name)
		}
		w.push(w.queue(), "first")
		w.srv.Inject(etcdtest.Fault{Members: []int{0}, Delay: 500 * time.Microsecond, DelayReply: 500 * time.Microsecond})
		w.srv.Inject(etcdtest.Fault{Members: []int{1}, Delay: 1500 * time.Microsecond, DelayReply: 1500 * time.Microsecond})
		ctx, cancel := context.WithCancel(w.Context())
		var wg sync.WaitGroup
		busy := at(0)
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = busy.Enqueue(w.Context(), "job")
				}
			})
		}
		time.Sleep(time.Second)
		far, worst := at(1), time.Duration(0)
		for range 50 {
			begin := time.Now()
			_, err := far.Enqueue(w.Context(), "far")
			require.NoError(w, err)
			worst = max(worst, time.Since(begin))
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
		wg.Wait()
		w.Logf("worst %v", worst)
		require.Less(w, worst, 150*time.Millisecond)
	}, etcdtest.WithMembers(2))
}

func TestAProducerThatIsRefusedForAUniqueKeyDoesNotRing(t *testing.T) {
	inBubble(t, func(w *world) {
		q, other := w.queue(), w.queue()
		w.push(other, "first")
		_, err := q.Enqueue(w.Context(), "a", queue.Unique("k"))
		require.NoError(w, err)
		before := w.srv.Revision()
		_, err = q.Enqueue(w.Context(), "b", queue.Unique("k"))
		require.ErrorIs(w, err, queue.ErrDuplicate)
		require.Equal(w, before, w.srv.Revision(), "nothing is written")
		require.Empty(w, w.srv.Keys(data+"ring"))
		_, err = other.Enqueue(w.Context(), "c")
		require.NoError(w, err)
		require.Len(w, w.srv.Keys(data+"ring"), 1, "the tail had moved")
	})
}

func TestAProducerRingsOnlyIfItHasNotBeenAloneForARow(t *testing.T) {
	inBubble(t, func(w *world) {
		q, other := w.queue(), w.queue()
		w.push(other, "first")
		for range 20 {
			w.push(q, "alone")
		}
		w.push(other, "comes")
		require.Len(w, w.srv.Keys(data+"ring"), 1, "the other's tail was old")
		before := w.srv.KeyValues(data + "ring")[0].Version
		w.push(q, "refused once")
		require.Equal(w, before, w.srv.KeyValues(data + "ring")[0].Version)
		w.push(other, "comes again")
		w.push(q, "refused again")
		require.Equal(w, before+2, w.srv.KeyValues(data + "ring")[0].Version)
	})
}

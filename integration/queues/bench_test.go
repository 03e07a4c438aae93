package queues

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/queue"
)

// bench is a queue on a real etcd, and a consumer in a client of its own.
func bench(b *testing.B) (*queue.Queue[string], *queue.Consumer[string]) {
	b.Helper()
	cl := cluster.Start(b, cluster.Options{})
	client := func() *etcd.Client {
		c, err := etcd.New(etcd.Config{Endpoints: []string{cl.Direct(0)}})
		require.NoError(b, err)
		b.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := client()
	s, err := etcd.NewSession(b.Context(), c)
	require.NoError(b, err)
	cons, err := queue.New[string](c, name).Consumer(s, queue.Prefetch(1000))
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = cons.Close(context.Background())
		_ = s.Close(context.Background())
	})
	return queue.New[string](client(), name), cons
}

var payload = strings.Repeat("x", 126)

// fill puts n jobs into the queue, 500 at a time.
func fill(b *testing.B, q *queue.Queue[string], n int) {
	b.Helper()
	var g errgroup.Group
	g.SetLimit(4)
	for n > 0 {
		k := min(n, 500)
		n -= k
		g.Go(func() error {
			vs := make([]string, k)
			for i := range vs {
				vs[i] = payload
			}
			_, err := q.EnqueueMany(b.Context(), vs)
			return err
		})
	}
	require.NoError(b, g.Wait())
}

// workOff receives and acknowledges n jobs, 480 at a time.
func workOff(b *testing.B, c *queue.Consumer[string], n int) {
	b.Helper()
	var g errgroup.Group
	g.SetLimit(4)
	for n > 0 {
		ds, err := c.Receive(b.Context(), min(480, n))
		require.NoError(b, err)
		n -= len(ds)
		g.Go(func() error { return c.Ack(b.Context(), ds...) })
	}
	require.NoError(b, g.Wait())
}

func BenchmarkEnqueue(b *testing.B) {
	q, _ := bench(b)
	fill(b, q, 1)
	b.ResetTimer()
	fill(b, q, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

func BenchmarkFromEnqueueToAck(b *testing.B) {
	q, c := bench(b)
	fill(b, q, 1)
	workOff(b, c, 1)
	b.ResetTimer()
	done := make(chan struct{})
	go func() {
		defer close(done)
		workOff(b, c, b.N)
	}()
	fill(b, q, b.N)
	<-done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkBacklog works a backlog off, and tells at what rate the first and the
// last tenth of it went, and what the client holds meanwhile.
func BenchmarkBacklog(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				q, c := bench(b)
				fill(b, q, n)
				b.StartTimer()
				rate := func(k int) float64 {
					begin := time.Now()
					workOff(b, c, k)
					return float64(k) / time.Since(begin).Seconds()
				}
				first := rate(n / 10)
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				for i := range 8 {
					b.Logf("tenth %d: %.0f/s", i+2, rate(n/10))
				}
				last := rate(n / 10)
				b.ReportMetric(first, "first/s")
				b.ReportMetric(last, "last/s")
				b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// BenchmarkOneJobsWay tells how long a job takes from Enqueue to a handler that
// waits, and how many round trips' time that is: of a put, which is a commit as
// Enqueue and the claim are.
func BenchmarkOneJobsWay(b *testing.B) {
	q, c := bench(b)
	fill(b, q, 1)
	workOff(b, c, 1)
	arrived := make(chan time.Time)
	ctx, cancel := context.WithCancel(b.Context())
	var handler sync.WaitGroup
	defer handler.Wait()
	defer cancel()
	handler.Go(func() {
		for {
			ds, err := c.Receive(ctx, 1)
			if err != nil {
				return
			}
			arrived <- time.Now()
			if err := c.Ack(b.Context(), ds...); err != nil {
				b.Error(err)
			}
		}
	})
	var way, put []time.Duration
	for b.Loop() {
		begin := time.Now()
		_, err := q.Enqueue(b.Context(), payload)
		require.NoError(b, err)
		way = append(way, (<-arrived).Sub(begin))
		time.Sleep(5 * time.Millisecond) // until the handler waits again
		begin = time.Now()
		_, err = q.Client().Put(b.Context(), "put", []byte(payload))
		require.NoError(b, err)
		put = append(put, time.Since(begin))
	}
	p50 := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return float64(ds[len(ds)/2].Microseconds())
	}
	b.ReportMetric(p50(way), "way-p50-µs")
	b.ReportMetric(p50(put), "put-p50-µs")
	b.ReportMetric(p50(way)/p50(put), "trips")
}

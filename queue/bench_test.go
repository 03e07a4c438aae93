package queue_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// What a job costs the client, and the in-memory gateway, which is no etcd: the
// profile is what these are for. integration/queues measures against a real one.

// benchJobs is how many jobs an iteration has.
const benchJobs = 500

func benchQueue(b *testing.B) (*etcdtest.Server, *queue.Queue[string], *queue.Consumer[string], []string) {
	srv := etcdtest.Start(b)
	c, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	require.NoError(b, err)
	s, err := etcd.NewSession(b.Context(), c)
	require.NoError(b, err)
	q := queue.New[string](c, name)
	cons, err := q.Consumer(s)
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, cons.Close(context.Background()))
		require.NoError(b, s.Close(context.Background()))
		require.NoError(b, c.Close())
	})
	values := make([]string, benchJobs)
	for i := range values {
		values[i] = "a value of a hundred bytes or so, as an order or a mail that is to be sent would have in most programs"
	}
	return srv, q, cons, values
}

func perJob(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchJobs, "ns/job")
}

// workOff receives and acknowledges an iteration's jobs.
func workOff(b *testing.B, c *queue.Consumer[string]) {
	for left := benchJobs; left > 0; {
		ds, err := c.Receive(b.Context(), left)
		require.NoError(b, err)
		require.NoError(b, c.Ack(b.Context(), ds...))
		left -= len(ds)
	}
}

// BenchmarkEnqueueMany encodes jobs and composes their batch.
func BenchmarkEnqueueMany(b *testing.B) {
	srv, q, c, values := benchQueue(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := q.EnqueueMany(b.Context(), values)
		require.NoError(b, err)
		b.StopTimer()
		workOff(b, c)
		require.NoError(b, srv.Compact(srv.Revision()))
		b.StartTimer()
	}
	perJob(b)
}

// BenchmarkDelivery claims jobs, decodes them, gives them out and acknowledges
// them.
func BenchmarkDelivery(b *testing.B) {
	srv, q, c, values := benchQueue(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		require.NoError(b, srv.Compact(srv.Revision()))
		_, err := q.EnqueueMany(b.Context(), values)
		require.NoError(b, err)
		b.StartTimer()
		workOff(b, c)
	}
	perJob(b)
}

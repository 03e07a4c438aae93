package sequence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/sequence"
)

func benchSequence(b *testing.B) *sequence.Sequence {
	srv := etcdtest.Start(b)
	c, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close()) })
	s := sequence.New(c, "x")
	_, err = s.Next(b.Context())
	require.NoError(b, err)
	return s
}

// BenchmarkCached shows what a number from memory costs, without waiting for
// blocks.
func BenchmarkCached(b *testing.B) {
	c := benchSequence(b).Cached(1 << 40)
	ctx := b.Context()
	_, err := c.Next(ctx)
	require.NoError(b, err)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Next(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkNext shows what a strict number costs a single caller in the client
// and the in-memory gateway.
func BenchmarkNext(b *testing.B) {
	s := benchSequence(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration/cluster"
)

// BenchmarkPutAfterAPause shows what a hand-over after a long wait consists of: one
// put, with nothing to do for a quarter of a second before, by our client and by
// the native one, in turn; and what the same put takes in a loop. The metric is the
// p50.
func BenchmarkPutAfterAPause(b *testing.B) {
	ctx := b.Context()
	endpoints := []string{cluster.Start(b, cluster.Options{Fsync: true}).Direct(0)}
	ours, _, err := ourClient(endpoints)
	require.NoError(b, err)
	defer ours.Close()
	peer, err := peerClient(endpoints)
	require.NoError(b, err)
	defer peer.Close()
	puts := map[string]func(context.Context) error{
		"quorate": func(ctx context.Context) error { _, err := ours.Put(ctx, "pause/ours", payload); return err },
		"native":  func(ctx context.Context) error { _, err := peer.Put(ctx, "pause/peer", string(payload)); return err },
	}
	for name, pause := range map[string]time.Duration{"paused": settle, "loop": 0} {
		b.Run(name, func(b *testing.B) {
			times := map[string][]time.Duration{}
			for b.Loop() {
				for who, put := range puts {
					time.Sleep(pause)
					begin := time.Now()
					require.NoError(b, put(ctx))
					times[who] = append(times[who], time.Since(begin))
				}
			}
			for who, t := range times {
				slices.Sort(t)
				b.ReportMetric(milliseconds(percentile(t, 50)), who+"-ms")
			}
		})
	}
}

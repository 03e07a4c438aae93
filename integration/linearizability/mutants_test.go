//go:build mutants

package linearizability

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
)

// A check that has never found anything may be blind. Each of these faults of
// the client must be found.
func TestClientsThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	for name, m := range map[string]struct {
		fault *bool
		oneIn int // how often the network is at fault
	}{
		"calls share a commit whatever they touch":     {&mutant.AdmitAll, 0},
		"two members get each other's result":          {&mutant.SwapResults, 0},
		"a write is repeated though it may be applied": {&mutant.RetryUnknown, 60},
		"a lost reply passes for a refusal":            {&mutant.UnknownIsRefused, 60},
		"reads are answered from a stale state":        {&mutant.StaleReads, 60},
	} {
		t.Run(name, func(t *testing.T) {
			mem := newMemory(t, 7, m.oneIn)
			*m.fault = true
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			if m.oneIn > 0 {
				wg.Go(func() { mem.meddle(ctx) })
			}
			sum := histories(t, workload{clients: mem.clients, goroutines: 6, calls: 12, seed: 7, patience: 300 * time.Millisecond}, 2*time.Minute)
			cancel()
			wg.Wait()
			for _, c := range mem.clients {
				require.NoError(t, c.Close())
			}
			*m.fault = false
			require.NotNil(t, sum.illegal, "not caught in %d histories", sum.rounds)
			t.Logf("caught in history %d of %d calls: %v", sum.rounds, len(sum.illegal.ops), sum.why)
		})
	}
}

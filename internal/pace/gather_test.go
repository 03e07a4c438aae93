package pace_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/pace"
)

// On one processor: what runs on others meanwhile is not ours to wait for.
func TestGatherSeesAllWhoAreAboutToCome(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var n atomic.Int64
	count := func() int { return int(n.Load()) }
	hundred := func() {
		for range 100 {
			go n.Add(1)
		}
	}
	hundred()
	pace.Gather(1000, count)
	require.EqualValues(t, 100, n.Load())

	looks := 0
	pace.Gather(1000, func() int { looks++; return 100 })
	require.Less(t, looks, 10, "nobody comes")

	pace.Gather(1000, func() int { hundred(); return count() })
	require.GreaterOrEqual(t, n.Load(), int64(1000), "as long as more come ...")
	require.Less(t, n.Load(), int64(2000), "... but not without end")
}

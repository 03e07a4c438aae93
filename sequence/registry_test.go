package sequence

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

// known gives how many counters a registry has that nobody forgot.
func (r *registry) known() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.counters)
}

func TestSequencesMadeAlikeShareACounterAsLongAsThereIsOne(t *testing.T) {
	c, err := etcd.New(etcd.Config{})
	require.NoError(t, err)
	defer c.Close()
	before := shared.known()
	a := New(c, "registry")
	require.Same(t, a.c, New(c, "registry").c)
	require.NotSame(t, a.c, New(c, "registry", WithStart(2)).c)
	require.NotSame(t, a.c, New(c, "other").c)
	require.Greater(t, shared.known(), before)
	runtime.KeepAlive(a)
	a = nil
	for end := time.Now().Add(10 * time.Second); shared.known() > before; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "counters that nobody uses are kept")
		runtime.GC()
	}
	require.LessOrEqual(t, shared.known(), before)
}

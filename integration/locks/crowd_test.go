package locks

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/lock"
)

// metric reads a number of the server's own.
func metric(t *testing.T, cl *cluster.Cluster, name string) float64 {
	t.Helper()
	r, err := http.Get(cl.Direct(0) + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	defer io.Copy(io.Discard, r.Body) //nolint:errcheck // so that the connection can go
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			require.NoError(t, err)
			return v
		}
	}
	t.Fatalf("there is no metric %q", name)
	return 0
}

func TestAThousandWaitersOfSeveralProcessesGetTheLockInOrderWithoutAHerd(t *testing.T) {
	perWaiter := map[int]float64{}
	for _, n := range []int{200, 1000} {
		cl := cluster.Start(t, cluster.Options{})
		c := party.Client(t, cl.Endpoints()...)
		ctx := t.Context()
		s := party.Session(t, c)
		h, err := lock.New(s, "crowd").Acquire(ctx)
		require.NoError(t, err)
		const processes = 4
		var parties []*party.Process
		for range processes {
			parties = append(parties, party.Start(t, "crowd", cl.Direct(0), strconv.Itoa(n/processes)))
		}
		prefix := lock.Root + "crowd/"
		party.InLine(t, c, prefix, int64(n+1))
		before := metric(t, cl, "etcd_debugging_mvcc_events_total")
		began := time.Now()
		require.NoError(t, h.Release(ctx))
		for _, p := range parties {
			p.Ended()
		}
		took := time.Since(began)
		events := metric(t, cl, "etcd_debugging_mvcc_events_total") - before
		perWaiter[n] = events / float64(n)
		t.Logf("%d waiters: %v a hand-over, %.1f events a waiter", n, (took / time.Duration(n)).Round(time.Microsecond), perWaiter[n])

		tokens := party.Written(t, c)
		require.Len(t, tokens, n)
		require.True(t, slices.IsSorted(tokens), "first come, first served")
		require.Len(t, slices.Compact(tokens), n)

		// Everything is gone.
		require.NoError(t, s.Close(ctx))
		party.InLine(t, c, prefix, 0)
		leases, err := c.Leases(ctx)
		require.NoError(t, err)
		require.Empty(t, leases)
		require.NoError(t, c.Close())
		require.Eventually(t, func() bool { return metric(t, cl, "etcd_debugging_mvcc_watcher_total") == 0 }, 2*time.Minute, 50*time.Millisecond)
	}
	// A waiter hears of its own key and of the one in front of it, put and
	// deleted, however many there are.
	require.LessOrEqual(t, perWaiter[1000], 6.0)
	require.LessOrEqual(t, perWaiter[1000], 1.2*perWaiter[200])
}

func TestAThousandWaitersThatDieAreGoneWithTheirLease(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	s := party.Session(t, c)
	h, err := lock.New(s, "crowd").Acquire(t.Context())
	require.NoError(t, err)
	p := party.Start(t, "crowd", cl.Direct(0), "1000")
	prefix := lock.Root + "crowd/"
	party.InLine(t, c, prefix, 1001)
	p.Kill() // all at once; their lease lasts a minute
	st, err := lock.Look(t.Context(), c, "crowd")
	require.NoError(t, err)
	require.Len(t, st.Waiters, 1000)
	leases := map[etcd.LeaseID]bool{}
	for _, w := range st.Waiters {
		leases[w.Lease] = true
	}
	require.Len(t, leases, 1)
	for lease := range leases {
		require.NoError(t, c.Revoke(t.Context(), lease))
	}
	party.InLine(t, c, prefix, 1)
	require.NoError(t, h.Release(t.Context()))
}

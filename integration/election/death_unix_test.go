//go:build unix

package election

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
)

func TestALeaderThatIsKilledIsReplacedWithinItsTTLAndASecond(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl.Endpoints()...)
	first := start(t, cl.Direct(0))
	a := first.token()
	second := start(t, cl.Direct(0))
	inLine(t, c, prefix, 2)
	began := time.Now()
	require.NoError(t, first.cmd.Process.Kill())
	// A lease of the same length that begins now cannot run out before the
	// leader's, and when it does is told by the same server.
	over := runsOut(t, c, partyTTL)
	b := second.token()
	elected := time.Now()
	t.Logf("after %v", elected.Sub(began))
	require.Greater(t, b, a)
	require.Less(t, elected.Sub(<-over), time.Second)
	second.tell("write")
	require.Equal(t, "<nil>", second.hear("write"))
	second.tell("resign")
	require.Equal(t, "<nil>", second.hear("resign"))
	inLine(t, c, prefix, 0)
}

// runsOut tells when a lease that begins now is seen to have run out.
func runsOut(t *testing.T, c *etcd.Client, ttl time.Duration) <-chan time.Time {
	t.Helper()
	l, err := c.Grant(t.Context(), ttl)
	require.NoError(t, err)
	_, err = c.Put(t.Context(), "runs out", nil, etcd.WithLease(l.ID))
	require.NoError(t, err)
	w, err := c.Watch(t.Context(), etcd.Key("runs out"), etcd.DeletesOnly())
	require.NoError(t, err)
	at := make(chan time.Time, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(at)
		if _, err := w.Next(t.Context()); err == nil {
			at <- time.Now()
		}
	})
	t.Cleanup(wg.Wait)
	return at
}

func TestALeaderThatWasPausedBeyondItsLeaseKnowsAtOnceAndItsWriteIsRefused(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl.Endpoints()...)
	first := start(t, cl.Direct(0))
	a := first.token()
	first.tell("write")
	require.Equal(t, "<nil>", first.hear("write"))
	second := start(t, cl.Direct(0))
	inLine(t, c, prefix, 2)
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	b := second.token()
	require.Greater(t, b, a)
	second.tell("write")
	require.Equal(t, "<nil>", second.hear("write"))

	// What it finds on its input when it wakes up, it does before anything else.
	first.tell("look")
	first.tell("write")
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
	require.Equal(t, "true", first.hear("expired"))
	require.Equal(t, errRefused.Error(), first.hear("write"))
	first.tell("context")
	require.Contains(t, first.hear("cause"), "session expired")
	second.tell("resign")
	require.Equal(t, "<nil>", second.hear("resign"))
}

// The candidate is paused when it is made leader: it leads when it wakes up, or
// the next when its lease runs out.
func TestAPausedCandidateThatIsHandedTheLeadershipLeadsWhenItWakesUp(t *testing.T) {
	for name, long := range map[string]time.Duration{"in time": partyTTL / 4, "too late": 2 * partyTTL} {
		t.Run(name, func(t *testing.T) {
			cl := cluster.Start(t, cluster.Options{})
			c := newClient(t, cl.Endpoints()...)
			first := start(t, cl.Direct(0))
			a := first.token()
			next := start(t, cl.Direct(0))
			inLine(t, c, prefix, 2)
			heir := start(t, cl.Direct(0))
			inLine(t, c, prefix, 3)
			require.NoError(t, heir.cmd.Process.Signal(syscall.SIGSTOP))
			first.tell("transfer")
			require.Equal(t, "<nil>", first.hear("transfer"))
			first.tell("write")
			require.Equal(t, errRefused.Error(), first.hear("write"))
			time.Sleep(long)
			if long < partyTTL {
				require.NoError(t, heir.cmd.Process.Signal(syscall.SIGCONT))
				require.Greater(t, heir.token(), a)
				heir.tell("write")
				require.Equal(t, "<nil>", heir.hear("write"))
				heir.tell("resign")
				require.Equal(t, "<nil>", heir.hear("resign"))
			}
			require.Greater(t, next.token(), a)
			next.tell("write")
			require.Equal(t, "<nil>", next.hear("write"))
			next.tell("resign")
			require.Equal(t, "<nil>", next.hear("resign"))
		})
	}
}

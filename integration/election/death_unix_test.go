//go:build unix

package election

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
)

func TestALeaderThatIsKilledIsReplacedWithinItsTTLAndASecond(t *testing.T) {
	t.Parallel()
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	first := party.Start(t, cl.Direct(0))
	a := token(t, first)
	second := party.Start(t, cl.Direct(0))
	party.InLine(t, c, prefix, 2)
	began := time.Now()
	first.Kill()
	// A lease of the same length that begins now cannot run out before the
	// leader's, and when it does is told by the same server.
	over := party.RunsOut(t, c, party.Lease)
	b := token(t, second)
	elected := time.Now()
	t.Logf("after %v", elected.Sub(began))
	require.Greater(t, b, a)
	require.Less(t, elected.Sub(<-over), time.Second)
	second.Does("write")
	second.Does("resign")
	party.InLine(t, c, prefix, 0)
}

func TestALeaderThatWasPausedBeyondItsLeaseKnowsAtOnceAndItsWriteIsRefused(t *testing.T) {
	t.Parallel()
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	first := party.Start(t, cl.Direct(0))
	a := token(t, first)
	first.Does("write")
	second := party.Start(t, cl.Direct(0))
	party.InLine(t, c, prefix, 2)
	first.Signal(syscall.SIGSTOP)
	b := token(t, second)
	require.Greater(t, b, a)
	second.Does("write")

	// What it finds on its input when it wakes up, it does before anything else.
	first.Tell("look")
	first.Tell("write")
	first.Signal(syscall.SIGCONT)
	require.Equal(t, "true", first.Hear("expired"))
	require.Equal(t, party.ErrRefused.Error(), first.Hear("write"))
	first.Tell("context")
	require.Contains(t, first.Hear("cause"), "session expired")
	second.Does("resign")
}

// The candidate is paused when it is made leader: it leads when it wakes up, or
// the next when its lease runs out.
func TestAPausedCandidateThatIsHandedTheLeadershipLeadsWhenItWakesUp(t *testing.T) {
	t.Parallel()
	for name, long := range map[string]time.Duration{"in time": party.Lease / 8, "too late": 2 * party.Lease} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := cluster.Start(t, cluster.Options{})
			c := party.Client(t, cl.Endpoints()...)
			first := party.Start(t, cl.Direct(0))
			a := token(t, first)
			next := party.Start(t, cl.Direct(0))
			party.InLine(t, c, prefix, 2)
			heir := party.Start(t, cl.Direct(0))
			party.InLine(t, c, prefix, 3)
			heir.Signal(syscall.SIGSTOP)
			first.Does("transfer")
			first.Tell("write")
			require.Equal(t, party.ErrRefused.Error(), first.Hear("write"))
			time.Sleep(long)
			if long < party.Lease {
				heir.Signal(syscall.SIGCONT)
				require.Greater(t, token(t, heir), a)
				heir.Does("write")
				heir.Does("resign")
			}
			require.Greater(t, token(t, next), a)
			next.Does("write")
			next.Does("resign")
		})
	}
}

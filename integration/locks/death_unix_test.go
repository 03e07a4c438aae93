//go:build unix

package locks

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/lock"
)

func token(t *testing.T, p *party.Process) int64 {
	t.Helper()
	n, err := strconv.ParseInt(p.Hear("held"), 10, 64)
	require.NoError(t, err)
	return n
}

func TestAProcessThatIsKilledLosesTheLockToTheNextWithinItsLease(t *testing.T) {
	t.Parallel()
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	first := party.Start(t, "hold", cl.Direct(0), "deploy")
	a := token(t, first)
	second := party.Start(t, "hold", cl.Direct(0), "deploy")
	party.InLine(t, c, lock.Root+"deploy/", 2)
	began := time.Now()
	first.Kill()
	over := party.RunsOut(t, c, party.Lease)
	b := token(t, second)
	held := time.Now()
	t.Logf("after %v", held.Sub(began))
	require.Greater(t, b, a)
	require.Less(t, held.Sub(<-over), time.Second)
	second.Does("write")
	second.Does("release")
	party.InLine(t, c, lock.Root+"deploy/", 0)
}

func TestAProcessThatWasPausedBeyondItsLeaseKnowsAtOnceAndItsWriteIsRefused(t *testing.T) {
	t.Parallel()
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	first := party.Start(t, "hold", cl.Direct(0), "deploy")
	a := token(t, first)
	first.Does("write")
	second := party.Start(t, "hold", cl.Direct(0), "deploy")
	party.InLine(t, c, lock.Root+"deploy/", 2)
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
	require.Equal(t, []int64{a, b}, party.Written(t, c))
	second.Tell("look")
	require.Equal(t, "false", second.Hear("expired"))
	second.Does("release")
}

func TestAWaitingProcessThatIsKilledIsPassedOver(t *testing.T) {
	t.Parallel()
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	first := party.Start(t, "hold", cl.Direct(0), "deploy")
	a := token(t, first)
	second := party.Start(t, "hold", cl.Direct(0), "deploy")
	party.InLine(t, c, lock.Root+"deploy/", 2)
	third := party.Start(t, "hold", cl.Direct(0), "deploy")
	party.InLine(t, c, lock.Root+"deploy/", 3)
	second.Kill()
	party.InLine(t, c, lock.Root+"deploy/", 2) // its lease has run out
	first.Does("release")
	require.Greater(t, token(t, third), a)
	third.Does("release")
}

func TestAWaitingProcessThatWasPausedBeyondItsLeaseNeverGetsTheLock(t *testing.T) {
	t.Parallel()
	cl := cluster.Start(t, cluster.Options{})
	c := party.Client(t, cl.Endpoints()...)
	first := party.Start(t, "hold", cl.Direct(0), "deploy")
	token(t, first)
	second := party.Start(t, "hold", cl.Direct(0), "deploy")
	party.InLine(t, c, lock.Root+"deploy/", 2)
	second.Signal(syscall.SIGSTOP)
	party.InLine(t, c, lock.Root+"deploy/", 1) // its lease has run out
	first.Tell("release")                      // which it will see when it wakes up
	require.Equal(t, "<nil>", first.Hear("release"))
	third := party.Start(t, "hold", cl.Direct(0), "deploy")
	token(t, third)
	second.Signal(syscall.SIGCONT)
	require.Equal(t, "true", second.Hear("failed"))
	third.Does("write")
	third.Does("release")
}

//go:build unix

package locks

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/lock"
)

func token(t *testing.T, p *party) int64 {
	t.Helper()
	n, err := strconv.ParseInt(p.hear("held"), 10, 64)
	require.NoError(t, err)
	return n
}

func TestAProcessThatIsKilledLosesTheLockToTheNextWithinItsLease(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl.Endpoints()...)
	first := start(t, "hold", cl.Direct(0), "deploy")
	a := token(t, first)
	second := start(t, "hold", cl.Direct(0), "deploy")
	inLine(t, c, lock.Root+"deploy/", 2)
	began := time.Now()
	require.NoError(t, first.cmd.Process.Kill())
	b := token(t, second)
	took := time.Since(began)
	t.Logf("after %v", took)
	require.Greater(t, b, a)
	require.Less(t, took, partyTTL+3*time.Second)
	second.tell("write")
	require.Equal(t, "<nil>", second.hear("write"))
	second.tell("release")
	require.Equal(t, "<nil>", second.hear("release"))
	inLine(t, c, lock.Root+"deploy/", 0)
}

func TestAProcessThatWasPausedBeyondItsLeaseKnowsAtOnceAndItsWriteIsRefused(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl.Endpoints()...)
	first := start(t, "hold", cl.Direct(0), "deploy")
	a := token(t, first)
	first.tell("write")
	require.Equal(t, "<nil>", first.hear("write"))
	second := start(t, "hold", cl.Direct(0), "deploy")
	inLine(t, c, lock.Root+"deploy/", 2)
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	b := token(t, second)
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
	require.Equal(t, []int64{a, b}, written(t, c, "protected", 2))
	second.tell("look")
	require.Equal(t, "false", second.hear("expired"))
	second.tell("release")
	require.Equal(t, "<nil>", second.hear("release"))
}

func TestAWaitingProcessThatIsKilledIsPassedOver(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl.Endpoints()...)
	first := start(t, "hold", cl.Direct(0), "deploy")
	a := token(t, first)
	second := start(t, "hold", cl.Direct(0), "deploy")
	inLine(t, c, lock.Root+"deploy/", 2)
	third := start(t, "hold", cl.Direct(0), "deploy")
	inLine(t, c, lock.Root+"deploy/", 3)
	require.NoError(t, second.cmd.Process.Kill())
	inLine(t, c, lock.Root+"deploy/", 2) // its lease has run out
	first.tell("release")
	require.Equal(t, "<nil>", first.hear("release"))
	require.Greater(t, token(t, third), a)
	third.tell("release")
	require.Equal(t, "<nil>", third.hear("release"))
}

func TestAWaitingProcessThatWasPausedBeyondItsLeaseNeverGetsTheLock(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl.Endpoints()...)
	first := start(t, "hold", cl.Direct(0), "deploy")
	token(t, first)
	second := start(t, "hold", cl.Direct(0), "deploy")
	inLine(t, c, lock.Root+"deploy/", 2)
	require.NoError(t, second.cmd.Process.Signal(syscall.SIGSTOP))
	inLine(t, c, lock.Root+"deploy/", 1) // its lease has run out
	first.tell("release")                // which it will see when it wakes up
	require.Equal(t, "<nil>", first.hear("release"))
	third := start(t, "hold", cl.Direct(0), "deploy")
	token(t, third)
	require.NoError(t, second.cmd.Process.Signal(syscall.SIGCONT))
	require.Equal(t, "true", second.hear("failed"))
	third.tell("write")
	require.Equal(t, "<nil>", third.hear("write"))
	third.tell("release")
	require.Equal(t, "<nil>", third.hear("release"))
}

//go:build unix

package main

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/cmd/quorate/internal/child"

	"github.com/quorate/quorate/etcd"
)

func TestSignalsArePassedOnToTheCommand(t *testing.T) {
	t.Parallel()
	q := command(t, lockArgs("signals", helperCommand("signals")...)...).begin()
	q.expect("ready")
	for _, s := range []syscall.Signal{
		syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGTERM,
	} {
		require.NoError(t, q.Process.Signal(s))
		q.expect("signal " + s.String())
	}
	require.Equal(t, 3, q.code(), "it ends as the command decides")
	require.Empty(t, contenders(t, client(t), "signals"))
}

func TestACommandThatASignalEndedGives128AndItsNumber(t *testing.T) {
	t.Parallel()
	q := command(t, lockArgs("signalled", helperCommand("wait")...)...).begin()
	pid := atoi(t, q.expect("ready"))
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Equal(t, 128+int(syscall.SIGKILL), q.code())

	q = command(t, lockArgs("signalled", helperCommand("wait")...)...).begin()
	q.expect("ready")
	require.NoError(t, q.Process.Signal(syscall.SIGINT))
	require.Equal(t, 128+int(syscall.SIGINT), q.code())
}

func TestAnInterruptWhileWaitingLeavesTheLine(t *testing.T) {
	t.Parallel()
	c := client(t)
	holder := command(t, lockArgs("impatient", helperCommand("read")...)...).begin()
	holder.expect("ready")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		waiter := command(t, lockArgs("impatient", helperCommand("exit", "0")...)...).begin()
		waitUntil(t, func() bool { return len(contenders(t, c, "impatient")) == 2 })
		require.NoError(t, waiter.Process.Signal(s))
		require.Equal(t, 128+int(s), waiter.code())
		require.Len(t, contenders(t, c, "impatient"), 1)
		require.Equal(t, "quorate: ended by "+child.Name(s)+"\n", waiter.stderr.String())
	}
	holder.stdin.Close()
	require.Equal(t, 0, holder.code())
}

// The group dies, and only then, when the lease has run out, somebody else gets
// the lock.
func TestKillingQuorateTakesTheWholeGroupWithIt(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	q := command(t, lockArgs("killed --ttl 5s", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	free := watchFor(t, c, holderOf(t, c, "killed"))
	require.NoError(t, q.Process.Kill())
	w.goneBefore(free)

	next := command(t, lockArgs("killed", helperCommand("exit", "0")...)...)
	require.Equal(t, 0, next.run(), next.stderr)
}

// Killing the job, as kill -9 %1 does in a shell, does not reach the group.
func TestKillingTheJobTakesTheWholeGroupWithIt(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	q := command(t, lockArgs("job --ttl 5s", helperCommand("tree", w.address())...)...)
	q.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	q.begin()
	w.await(2)
	require.NoError(t, syscall.Kill(-q.Process.Pid, syscall.SIGKILL))
	w.gone()
}

func TestARevokedLeaseEndsTheGroup(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	q := command(t, lockArgs("revoked --ttl 15s --grace 300ms", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	require.NoError(t, c.Revoke(t.Context(), holderOf(t, c, "revoked").Lease))
	w.gone()
	require.Equal(t, 76, q.code())
	require.Contains(t, q.stderr.String(), `lock "revoked" was lost while `)
	require.Equal(t, 1, strings.Count(q.stderr.String(), "\n"), q.stderr)
}

func TestACommandMayEndByItselfWhenItsLockIsLost(t *testing.T) {
	t.Parallel()
	c := client(t)
	q := command(t, lockArgs("polite --ttl 20s --grace 8s", helperCommand("signals")...)...).begin()
	q.expect("ready")
	require.NoError(t, c.Revoke(t.Context(), holderOf(t, c, "polite").Lease))
	q.expect("signal terminated")
	require.Equal(t, 76, q.code())
}

func TestWithoutEtcdTheGroupIsGoneBeforeItsLeaseIs(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	p := startProxy(t, endpoint)
	q := command(t, lockArgs("cut-off --ttl 6s", helperCommand("tree", w.address())...)...)
	q.Env = append(q.Env, "ETCDCTL_ENDPOINTS="+p.url)
	q.begin()
	w.await(2)
	free := watchFor(t, c, holderOf(t, c, "cut-off"))
	p.cut()
	w.goneBefore(free)
	require.Equal(t, 76, q.code())
	require.Contains(t, q.stderr.String(), "session expired")
}

// What is stopped cannot end its command; the guard does.
func TestWhileQuorateIsStoppedTheGroupIsGoneBeforeItsLeaseIs(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	q := command(t, lockArgs("stopped --ttl 6s", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	free := watchFor(t, c, holderOf(t, c, "stopped"))
	require.NoError(t, q.Process.Signal(syscall.SIGSTOP))
	w.goneBefore(free)
	require.NoError(t, q.Process.Signal(syscall.SIGCONT))
	require.Equal(t, 76, q.code())
}

func TestAGuardThatIsKilledTakesTheGroupWithIt(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	q := command(t, lockArgs("unguarded", helperCommand("tree", w.address())...)...).begin()
	guard := w.await(2)
	require.NoError(t, syscall.Kill(guard, syscall.SIGKILL))
	w.gone()
	require.Equal(t, 1, q.code())
	require.Contains(t, q.stderr.String(), "guard")
	require.Empty(t, contenders(t, client(t), "unguarded"))
}

func TestWhatTheCommandLeavesBehindEndsBeforeTheLockIsReleased(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	q := command(t, lockArgs("leftover --ttl 60s --grace 20s", helperCommand("leave-behind", w.address())...)...).begin()
	w.await(1)
	w.gone()
	require.Equal(t, 0, q.code(), q.stderr)
	require.Empty(t, contenders(t, c, "leftover"))
}

// holderOf gives the key of the one who holds the lock and for whom nobody waits.
func holderOf(t *testing.T, c *etcd.Client, name string) etcd.KV {
	t.Helper()
	held := contenders(t, c, name)
	require.Len(t, held, 1)
	return held[0]
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

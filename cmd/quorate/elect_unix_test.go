//go:build unix

package main

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

func electArgs(flags string, helper ...string) []string {
	args := append([]string{"elect"}, strings.Fields(flags)...)
	return append(append(args, "--"), helper...)
}

// standing gives the keys of those who lead or want to, oldest first.
func standing(t *testing.T, c *etcd.Client, name string) []etcd.KV {
	t.Helper()
	r, err := c.Get(t.Context(), etcd.Prefix("quorate/election/"+name+"/"), etcd.WithSort(etcd.ByCreateRevision, etcd.Ascending))
	require.NoError(t, err)
	return r.KVs
}

func TestElectRunsTheCommandWhileItLeadsAndExitsAsItDoes(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 7} {
		q := command(t, electArgs("exits", helperCommand("exit", strconv.Itoa(code))...)...)
		require.Equal(t, code, q.run(), q.stderr)
		require.Empty(t, q.stderr.String())
	}
	require.Empty(t, standing(t, client(t), "exits"), "it has resigned")
}

func TestTheCommandFindsElectionAndTokenInItsEnvironment(t *testing.T) {
	t.Parallel()
	var last int64
	for range 2 {
		q := command(t, electArgs("env", helperCommand("env", "QUORATE_ELECTION", "QUORATE_TOKEN")...)...)
		require.Equal(t, 0, q.run(), q.stderr)
		name, token, _ := strings.Cut(q.stdout.String(), "\n")
		require.Equal(t, "QUORATE_ELECTION=env", name)
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(token, "QUORATE_TOKEN=")), 10, 64)
		require.NoError(t, err)
		require.Greater(t, n, last)
		last = n
	}
}

func TestOneLeadsAtATimeAndTheNextWhenItHasEnded(t *testing.T) {
	t.Parallel()
	c := client(t)
	first := command(t, electArgs("turns --value first", helperCommand("read")...)...).begin()
	first.expect("ready")
	second := command(t, electArgs("turns --value second", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "turns")) == 2 })
	select {
	case line := <-second.lines.ch:
		t.Fatalf("the second runs beside the first: %s", line)
	default:
	}
	q := command(t, "elect", "show", "turns", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	s := jsonLines(t, q.stdout.String())[0]
	require.Equal(t, "first", s["leader"].(map[string]any)["value"])
	require.EqualValues(t, first.Process.Pid, s["leader"].(map[string]any)["pid"])
	require.Equal(t, "second", s["candidates"].([]any)[0].(map[string]any)["value"])

	first.stdin.Close()
	second.expect("ready")
	second.stdin.Close()
	require.Equal(t, 0, first.code())
	require.Equal(t, 0, second.code())
}

func TestElectGivesUpWhenItsTimeoutIsOver(t *testing.T) {
	t.Parallel()
	leader := command(t, electArgs("patience", helperCommand("read")...)...).begin()
	leader.expect("ready")
	q := command(t, electArgs("patience --timeout 5s", helperCommand("exit", "0")...)...)
	require.Equal(t, 75, q.run())
	require.Contains(t, q.stderr.String(), `not elected in election "patience" within 5s: it is led by host `)
	require.Len(t, standing(t, client(t), "patience"), 1)
	leader.stdin.Close()
	require.Equal(t, 0, leader.code())
}

func TestAnInterruptedCandidateLeavesTheLine(t *testing.T) {
	t.Parallel()
	c := client(t)
	leader := command(t, electArgs("impatient", helperCommand("read")...)...).begin()
	leader.expect("ready")
	q := command(t, electArgs("impatient", helperCommand("exit", "0")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "impatient")) == 2 })
	require.NoError(t, q.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 128+int(syscall.SIGTERM), q.code())
	require.Equal(t, "quorate: ended by SIGTERM\n", q.stderr.String())
	require.Len(t, standing(t, c, "impatient"), 1)
	leader.stdin.Close()
	require.Equal(t, 0, leader.code())
}

func TestASignalIsTheCommandsWhileItLeads(t *testing.T) {
	t.Parallel()
	q := command(t, electArgs("signals", helperCommand("signals")...)...).begin()
	q.expect("ready")
	require.NoError(t, q.Process.Signal(syscall.SIGUSR1))
	q.expect("signal " + syscall.SIGUSR1.String())
	require.NoError(t, q.Process.Signal(syscall.SIGTERM))
	q.expect("signal terminated")
	require.Equal(t, 3, q.code(), "it ends as the command decides")
	require.Empty(t, standing(t, client(t), "signals"))
}

func TestALostLeaderEndsItsCommandAndStandsAgain(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	q := command(t, electArgs("again --ttl 15s --grace 300ms --json", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	for range 2 {
		require.NoError(t, c.Revoke(t.Context(), standing(t, c, "again")[0].Lease))
		w.gone()
		w.forget()
		w.await(2) // the command runs anew
	}
	q.Process.Kill()
	w.gone()
	_ = q.code()
	events := jsonLines(t, q.stderr.String())
	var kinds []string
	var last float64
	for _, e := range events {
		if e["event"] != "waiting" {
			kinds = append(kinds, e["event"].(string))
		}
		if e["event"] == "elected" {
			require.Greater(t, e["token"], last)
			last = e["token"].(float64)
		}
	}
	require.Equal(t, []string{"elected", "lost", "elected", "lost", "elected"}, kinds)
}

func TestWithOnceALostLeaderEnds(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	q := command(t, electArgs("once --once --ttl 15s --grace 300ms", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	require.NoError(t, c.Revoke(t.Context(), standing(t, c, "once")[0].Lease))
	w.gone()
	require.Equal(t, 76, q.code())
	require.Contains(t, q.stderr.String(), `the leadership in election "once" was lost while `)
}

func TestWithoutEtcdTheCommandOfALeaderIsGoneBeforeItsLeaseIs(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	p := startProxy(t, endpoint)
	q := command(t, electArgs("cut-off --once --ttl 6s --command-timeout 1s", helperCommand("tree", w.address())...)...)
	q.Env = append(q.Env, "ETCDCTL_ENDPOINTS="+p.url)
	q.begin()
	w.await(2)
	free := watchFor(t, c, standing(t, c, "cut-off")[0])
	p.cut()
	w.goneBefore(free)
	require.Equal(t, 76, q.code())
}

func TestAKilledLeaderIsReplacedWithinItsTTLAndASecond(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	begin := time.Now()
	q := command(t, electArgs("killed --ttl 4s", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	start := time.Since(begin)
	next := command(t, electArgs("killed --ttl 4s", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "killed")) == 2 })
	require.NoError(t, q.Process.Kill())
	// A lease of the same length that begins now cannot run out before the
	// leader's, and when it does is told by the same server.
	l, err := c.Grant(t.Context(), 4*time.Second)
	require.NoError(t, err)
	_, err = c.Put(t.Context(), "killed/ttl", nil, etcd.WithLease(l.ID))
	require.NoError(t, err)
	over := watchFor(t, c, etcd.KV{Key: "killed/ttl"})
	next.expect("ready")
	elected := time.Now()
	// It is heard of when its command has started, which costs less than the whole
	// start did.
	require.Less(t, elected.Sub(over.await()), time.Second+start)
	w.gone()
	next.stdin.Close()
	require.Equal(t, 0, next.code())
}

func TestTransferHasTheLeaderEndItsCommandFirst(t *testing.T) {
	t.Parallel()
	c := client(t)
	first := command(t, electArgs("moved --value a --json", helperCommand("signals")...)...).begin()
	first.expect("ready")
	second := command(t, electArgs("moved --value b", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "moved")) == 2 })
	third := command(t, electArgs("moved --value c", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "moved")) == 3 })

	watch := command(t, "elect", "watch", "moved", "--json").begin()
	watch.expect(`{"event":"elected"`)

	q := command(t, "elect", "transfer", "moved", "--to", "nobody")
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), "nobody who waits")

	q = command(t, "elect", "transfer", "moved", "--to", "c", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, "c", jsonLines(t, q.stdout.String())[0]["leader"].(map[string]any)["value"])
	first.expect("signal terminated")
	third.expect("ready")
	seen := watch.expect(`{"event":"elected","election":"moved",`)
	require.Contains(t, seen, `"value":"c"`)
	require.Contains(t, seen, `"transferred":true`)

	// Who handed over stands again, behind the others.
	waitUntil(t, func() bool {
		kvs := standing(t, c, "moved")
		return len(kvs) == 4 && strings.Contains(string(kvs[3].Value), `"kind":"candidate"`)
	})
	third.stdin.Close()
	second.expect("ready")
	second.stdin.Close()
	first.expect("ready")
	require.NoError(t, watch.Process.Signal(syscall.SIGINT))
	require.Equal(t, 128+int(syscall.SIGINT), watch.code())
	require.Empty(t, watch.stderr.String())
	require.NoError(t, first.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 3, first.code())
	require.Contains(t, first.stderr.String(), "handing-over")
}

func TestAForcedTransferDoesNotWaitForTheLeader(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	c := client(t)
	first := command(t, electArgs("forced --once --ttl 20s --grace 300ms", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	second := command(t, electArgs("forced", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "forced")) == 2 })
	q := command(t, "elect", "transfer", "forced", "--force")
	require.Equal(t, 0, q.run(), q.stderr)
	second.expect("ready")
	w.gone()
	require.Equal(t, 76, first.code())
	require.Contains(t, first.stderr.String(), "handed over by somebody else")
	second.stdin.Close()
	require.Equal(t, 0, second.code())
}

func TestTransferWithoutLeaderOrCandidateSaysSo(t *testing.T) {
	t.Parallel()
	q := command(t, "elect", "transfer", "nowhere")
	require.Equal(t, 1, q.run())
	require.Equal(t, "quorate: nobody leads in election \"nowhere\"\n", q.stderr.String())
	leader := command(t, electArgs("alone", helperCommand("read")...)...).begin()
	leader.expect("ready")
	q = command(t, "elect", "transfer", "alone")
	require.Equal(t, 1, q.run())
	require.Equal(t, "quorate: nobody else stands in election \"alone\"\n", q.stderr.String())

	q = command(t, "elect", "ls", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Contains(t, q.stdout.String(), `"election":"alone"`)
	q = command(t, "elect", "ls")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Contains(t, q.stdout.String(), "ELECTION")
	q = command(t, "elect", "show", "alone")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Contains(t, q.stdout.String(), "leads")
	leader.stdin.Close()
	require.Equal(t, 0, leader.code())
	q = command(t, "elect", "show", "alone")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, "nobody leads in election alone\n", q.stdout.String())
}

func TestWrongUseOfElectIsToldWithoutAskingEtcd(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"elect"}, {"elect", "x"}, {"elect", "x", "--"}, {"elect", "x", "y"}, {"elect", "", "--", "true"},
		{"elect", "x", "--ttl", "1s", "--", "true"}, {"elect", "x", "--timeout", "-1s", "--", "true"},
		{"elect", "show"}, {"elect", "show", "a", "b"}, {"elect", "watch", ""}, {"elect", "transfer"},
		{"elect", "transfer", "x", "--timeout", "0s"},
	} {
		q := command(t, args...)
		q.Env = append(q.Env, "ETCDCTL_ENDPOINTS=http://127.0.0.1:1")
		require.Equal(t, 2, q.run(), "%q: %s", args, q.stderr)
		require.NotContains(t, q.stderr.String(), "--try", "elect has no such flag")
	}
	q := command(t, "elect", "x", "y", "--", "true")
	require.Equal(t, 2, q.run())
	require.Contains(t, q.stderr.String(), `"y" is unexpected`)
}

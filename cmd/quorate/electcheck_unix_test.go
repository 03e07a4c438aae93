//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fitness is a check that passes while a file is there. It notes each time that it
// is made.
type fitness struct {
	t       *testing.T
	ok, log string
}

func newFitness(t *testing.T) fitness {
	dir := t.TempDir()
	return fitness{t, filepath.Join(dir, "ok"), filepath.Join(dir, "log")}
}

// flags are for an election.
func (f fitness) flags(name string, more ...string) []string {
	line := fmt.Sprintf("echo $QUORATE_ELECTION >> '%s'; test -e '%s' || { echo out of paper >&2; exit 3; }", f.log, f.ok)
	return append([]string{"elect", name, "--check", line, "--check-every", "50ms", "--check-timeout", "15s"}, more...)
}

func (f fitness) isWell() { require.NoError(f.t, os.WriteFile(f.ok, nil, 0o600)) }
func (f fitness) isIll()  { require.NoError(f.t, os.Remove(f.ok)) }

// checks gives what the checks have noted.
func (f fitness) checks() []string {
	b, _ := os.ReadFile(f.log) // not there before the first
	return strings.Fields(string(b))
}

func TestACandidateWhoseCheckFailsDoesNotComeForward(t *testing.T) {
	t.Parallel()
	c := client(t)
	f := newFitness(t)
	q := command(t, append(f.flags("unfit", "--json", "--"), helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(f.checks()) >= 3 })
	require.Empty(t, standing(t, c, "unfit"))
	require.Equal(t, "unfit", f.checks()[0])
	f.isWell()
	q.expect("ready")
	q.stdin.Close()
	require.Equal(t, 0, q.code())
	var kinds []string
	for _, e := range jsonLines(t, q.stderr.String()) {
		if e["event"] == "unhealthy" {
			require.Equal(t, "it exited with 3: out of paper", e["error"])
		}
		if e["event"] != "waiting" {
			kinds = append(kinds, e["event"].(string))
		}
	}
	require.Equal(t, []string{"unhealthy", "healthy", "elected", "resigned"}, kinds)
}

func TestALeaderWhoseCheckFailsEndsItsCommandAndLetsTheNextLead(t *testing.T) {
	t.Parallel()
	c := client(t)
	f := newFitness(t)
	f.isWell()
	first := command(t, append(f.flags("ill", "--"), helperCommand("signals")...)...).begin()
	first.expect("ready")
	second := command(t, electArgs("ill", helperCommand("read")...)...).begin()
	waitUntil(t, func() bool { return len(standing(t, c, "ill")) == 2 })
	f.isIll()
	first.expect("signal terminated")
	second.expect("ready")
	require.Len(t, standing(t, c, "ill"), 1, "it stands although its check fails")
	f.isWell()
	waitUntil(t, func() bool { return len(standing(t, c, "ill")) == 2 })
	second.stdin.Close()
	require.Equal(t, 0, second.code())
	first.expect("ready") // and leads again
	require.NoError(t, first.Process.Kill())
	_ = first.code()
	require.Contains(t, first.stderr.String(), `quorate: the check of election "ill" fails: it exited with 3: out of paper`)
	require.Contains(t, first.stderr.String(), `quorate: the leadership in election "ill" is over: unhealthy: it exited with 3: out of paper`)
	require.Contains(t, first.stderr.String(), `quorate: the check of election "ill" passes again`)
}

func TestACandidateThatIsNotElectedBecauseOfItsCheckSaysSo(t *testing.T) {
	t.Parallel()
	q := command(t, "elect", "never", "--check", "echo out of paper; exit 3", "--timeout", "4s", "--", "true")
	require.Equal(t, 75, q.run())
	require.Contains(t, q.stderr.String(), `not elected in election "never" within 4s: the check fails: it exited with 3: out of paper`)
}

func TestACheckThatTakesTooLongHasFailedAndIsKilledWithAllThatItStarted(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	hangs := "exec '" + strings.Join(helperCommand("tree", w.address()), "' '") + "'"
	q := command(t, "elect", "hanging", "--check", hangs, "--check-every", "50ms", "--check-timeout", "4s", "--", "true").begin()
	w.await(2)
	w.gone()
	w.forget()
	w.await(2) // the next one
	require.NoError(t, q.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 128+int(syscall.SIGTERM), q.code())
	require.Contains(t, q.stderr.String(), "quorate: the check of election \"hanging\" fails: it takes longer than 4s\n")
	w.gone()
}

func TestACheckEndsWhenQuorateIsKilled(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	hangs := "exec '" + strings.Join(helperCommand("tree", w.address()), "' '") + "'"
	q := command(t, "elect", "orphaned", "--check", hangs, "--check-every", "1h", "--", "true").begin()
	w.await(2)
	require.NoError(t, q.Process.Kill())
	w.gone()
}

func TestWrongUseOfACheckIsToldWithoutAskingEtcd(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"--check-every 1s", "--check-timeout 1s", "--check-failures 2", "--check=",
		"--check true --check-every 0s", "--check true --check-timeout 0s", "--check true --check-timeout -1s", "--check true --check-failures 0"} {
		q := command(t, append(append([]string{"elect", "x"}, strings.Fields(flags)...), "--", "true")...)
		q.Env = append(q.Env, "ETCDCTL_ENDPOINTS=http://127.0.0.1:1")
		require.Equal(t, 2, q.run(), "%s: %s", flags, q.stderr)
	}
}

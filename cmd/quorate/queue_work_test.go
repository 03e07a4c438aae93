package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJobsPushedAreWorkedOnByACommandWithThePayloadOnItsStandardInput(t *testing.T) {
	t.Parallel()
	push(t, "stdin", "one", "two\nlines", "")
	q := command(t, workArgs("stdin --drain", helperCommand("job")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, "stdin 1 \"one\"\nstdin 1 \"two\\nlines\"\nstdin 1 \"\"\n", q.stdout.String())
	st := stats(t, "stdin")
	for _, state := range []string{"ready", "claimed", "delayed", "dead", "consumers"} {
		require.Zero(t, st[state], state)
	}
}

func TestALargePayloadReachesTheCommandWhichNeedNotReadIt(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 900<<10)
	p := command(t, "queue", "push", "large")
	p.Stdin = strings.NewReader(large)
	require.Equal(t, 0, p.run(), p.stderr)
	push(t, "large", strings.Repeat("y", 100<<10))
	q := command(t, workArgs("large --drain", helperCommand("job-size", "x")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, strconv.Itoa(len(large))+"\nnot read\n", q.stdout.String())
}

func TestAJobWhoseCommandFailsIsTriedAgainAndThenADeadLetterThatCanBeRedriven(t *testing.T) {
	t.Parallel()
	ids := push(t, "failing", "job")
	fails := helperCommand("job-fails", "3", "the mill is broken")
	q := command(t, workArgs("failing --drain --attempts 2 --backoff 50ms", fails...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	says := q.stderr.String()
	require.Contains(t, says, "the mill is broken\n", "what the command writes is shown")
	require.Contains(t, says, "quorate: job "+ids[0]+", attempt 1: "+os.Args[0]+" exited with 3; again in ")
	require.Contains(t, says, "quorate: job "+ids[0]+", attempt 2: "+os.Args[0]+" exited with 3; it is a dead letter now")

	out, _ := queueRun(t, 0, "ls", "failing", "--state", "dead", "--json")
	dead := jsonLines(t, out)[0]
	require.Equal(t, ids[0], dead["id"])
	require.EqualValues(t, 2, dead["attempt"])
	require.Contains(t, dead["reason"], "exited with 3: the mill is broken")
	require.Equal(t, "job", dead["payload"])
	require.NotEmpty(t, dead["died_at"])

	out, _ = queueRun(t, 0, "redrive", "failing", "--all")
	require.Equal(t, "1 job put back into the queue\n", out)
	out, _ = queueRun(t, 0, "show", "failing", ids[0])
	require.Regexp(t, `state +ready`, out)
	out, _ = queueRun(t, 0, "pop", "failing")
	require.Equal(t, "job", out)
}

func TestDeadOnMakesADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	push(t, "dead-on", "job")
	q := command(t, workArgs("dead-on --drain --dead-on 64,65 --json", helperCommand("exit", "65")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	events := jsonLines(t, q.stderr.String())
	require.Len(t, events, 1)
	require.Equal(t, "buried", events[0]["event"])
	require.EqualValues(t, 65, events[0]["exit"])
	require.EqualValues(t, 1, stats(t, "dead-on")["dead"])
}

func TestACommandFindsItsJobInTheEnvironment(t *testing.T) {
	t.Parallel()
	ids := push(t, "env/of it", "--header", "lang=en", "job")
	args := []string{"queue", "work", "env/of it", "--drain", "--"}
	q := command(t, append(args, helperCommand("env", "QUORATE_QUEUE", "QUORATE_JOB", "QUORATE_ATTEMPT", "QUORATE_HEADERS", "QUORATE_TOKEN")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	require.Regexp(t, `^QUORATE_QUEUE=env/of it
QUORATE_JOB=`+ids[0]+`
QUORATE_ATTEMPT=1
QUORATE_HEADERS=\{"lang":"en"\}
QUORATE_TOKEN=[1-9]\d*
$`, q.stdout.String())
}

func TestOneGuardServesOneCommandAfterTheOther(t *testing.T) {
	t.Parallel()
	push(t, "guards", strings.Fields(strings.Repeat("job ", 4))...)
	w := newWitness(t)
	q := command(t, workArgs("guards --drain", helperCommand("job-group", w.address())...)...).begin()
	groups := map[int]bool{}
	for range 4 {
		groups[w.await(1)] = true
	}
	require.Equal(t, 0, q.code(), q.stderr)
	require.Len(t, groups, 1, "the guard's group")
}

func TestACommandThatTakesTooLongIsEndedAndHasFailed(t *testing.T) {
	t.Parallel()
	push(t, "too-long", "job")
	w := newWitness(t)
	q := command(t, workArgs("too-long --drain --attempts 1 --timeout 10s --grace 100ms", helperCommand("stubborn", w.address())...)...).begin()
	w.await(1)
	w.gone()
	require.Equal(t, 0, q.code(), q.stderr)
	out, _ := queueRun(t, 0, "ls", "too-long", "--state", "dead", "--json")
	require.Contains(t, jsonLines(t, out)[0]["reason"], "took longer than 10s")
}

func TestWhenAWorkerIsKilledItsCommandDiesAndAnotherGetsTheJob(t *testing.T) {
	t.Parallel()
	push(t, "killed", "job")
	w := newWitness(t)
	first := command(t, workArgs("killed --ttl 5s", helperCommand("tree", w.address())...)...).begin()
	w.await(2)
	require.NoError(t, first.Process.Kill())
	w.gone()
	second := command(t, workArgs("killed --drain", helperCommand("job")...)...)
	require.Equal(t, 0, second.run(), second.stderr)
	require.Equal(t, "killed 2 \"job\"\n", second.stdout.String(), "the second attempt")
}

func TestASignalLetsCommandsFinishAndHandsTheRestBack(t *testing.T) {
	t.Parallel()
	push(t, "finish", "one", "two")
	file := filepath.Join(t.TempDir(), "go on")
	q := command(t, workArgs("finish", helperCommand("job-waits", file)...)...).begin()
	q.expect("ready")
	require.NoError(t, q.Process.Signal(os.Interrupt))
	waitUntil(t, func() bool { st := stats(t, "finish"); return st["ready"] == 1.0 && st["claimed"] == 1.0 })
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Equal(t, 0, q.code(), q.stderr)
	st := stats(t, "finish")
	require.EqualValues(t, 1, st["ready"])
	require.Zero(t, st["claimed"])
}

func TestTheSecondSignalEndsCommandsAtNoAttempt(t *testing.T) {
	t.Parallel()
	push(t, "at-once", "1", "2", "3")
	w := newWitness(t)
	q := command(t, workArgs("at-once --concurrency 2 --grace 200ms", helperCommand("stubborn", w.address())...)...).begin()
	w.await(2)
	require.EqualValues(t, 2, stats(t, "at-once")["claimed"], "no more than it may work on")
	require.NoError(t, q.Process.Signal(os.Interrupt))
	waitUntil(t, func() bool { return q.Process.Signal(os.Interrupt) != nil || !w.alive() })
	require.Equal(t, 0, q.code(), q.stderr)
	out, _ := queueRun(t, 0, "ls", "at-once", "--json")
	jobs := jsonLines(t, out)
	require.Len(t, jobs, 3)
	for _, j := range jobs {
		require.Equal(t, "ready", j["state"])
		require.EqualValues(t, 0, j["attempt"])
	}
}

func TestAWorkerThatLosesEtcdEndsItsCommandsAndWaitsForIt(t *testing.T) {
	t.Parallel()
	push(t, "outage", "job")
	w := newWitness(t)
	p := startProxy(t, endpoint)
	q := command(t, workArgs("outage --ttl 5s --grace 200ms --endpoints "+p.url+" --command-timeout 2s", helperCommand("stubborn", w.address())...)...)
	r, stderr, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	q.Stderr = stderr
	q.begin()
	stderr.Close()
	w.await(1)
	p.cut()
	w.gone()
	said := readLines(r)
	require.Regexp(t, `^quorate: job \S+, attempt \d+: the claim was lost; others get it$`, <-said.ch)
	require.Regexp(t, `^quorate: the claims are lost: .+; going on when etcd answers$`, <-said.ch)
	require.NoError(t, q.Process.Signal(os.Interrupt))
	q.code()
}

package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// queueRun runs "quorate queue ..." to its end, which must be with code, and gives
// what it printed.
func queueRun(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	q := command(t, append([]string{"queue"}, args...)...)
	q.Stdin = strings.NewReader("")
	require.Equal(t, code, q.run(), "%q: %s", args, q.stderr)
	return q.stdout.String(), q.stderr.String()
}

// push puts jobs into a queue and gives their ids.
func push(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, _ := queueRun(t, 0, append([]string{"push", name}, args...)...)
	return strings.Fields(out)
}

// workArgs are those of "quorate queue work".
func workArgs(flags string, helper ...string) []string {
	args := append([]string{"queue", "work"}, strings.Fields(flags)...)
	return append(append(args, "--"), helper...)
}

// stats gives what "quorate queue stats --json" tells of a queue.
func stats(t *testing.T, name string) map[string]any {
	t.Helper()
	out, _ := queueRun(t, 0, "stats", name, "--json")
	return jsonLines(t, out)[0]["queues"].([]any)[0].(map[string]any)
}

func TestAPoppedJobIsGoneAndAnEmptyQueueIsSaidToBe(t *testing.T) {
	t.Parallel()
	push(t, "pop", "one", "two")
	out, _ := queueRun(t, 0, "pop", "pop", "--json")
	job := jsonLines(t, out)[0]
	require.Equal(t, "one", job["payload"])
	require.EqualValues(t, 1, job["attempt"])
	out, _ = queueRun(t, 0, "pop", "pop")
	require.Equal(t, "two", out)
	_, says := queueRun(t, 75, "pop", "pop")
	require.Contains(t, says, `no job of queue "pop" is ready`)
	_, says = queueRun(t, 75, "pop", "pop", "--timeout", "2s")
	require.Contains(t, says, `no job of queue "pop" came in time`)
}

func TestAPopOfMoreThanThereIsTakesWhatThereIsAndDoesNotWait(t *testing.T) {
	t.Parallel()
	push(t, "pop-many", "one", "two")
	// It would wait for --command-timeout, which is longer than any test.
	out, says := queueRun(t, 75, "pop", "pop-many", "-n", "5", "--command-timeout", "10m")
	require.Equal(t, "one\ntwo\n", out)
	require.Contains(t, says, `2 of 5 jobs of queue "pop-many" came`)
}

func TestJobsThatAreNotThereAreSaidNotToBe(t *testing.T) {
	t.Parallel()
	ids := push(t, "missing", "a", "b")
	_, says := queueRun(t, 1, "redrive", "missing", ids[0])
	require.Contains(t, says, "0 of 1 jobs put back into the queue: the others are not there, or not in that state")
	_, says = queueRun(t, 1, "purge", "missing", "--state", "ready", ids[0], ids[0], "no-such-job")
	require.Contains(t, says, "1 of 2 jobs removed: the others are not there")
	_, says = queueRun(t, 1, "cancel", "missing", ids[1], "no-such-job")
	require.Contains(t, says, `there is no job "no-such-job"; the 1 before it are removed`)
	queueRun(t, 0, "purge", "missing", "--state", "dead", "--all")
}

func TestWhatIsTooLargeForAJobIsSaidToBe(t *testing.T) {
	t.Parallel()
	for size, says := range map[int]string{
		1 << 20:   "the job is too large: with its headers it can have 1.0 MiB",
		1<<20 + 1: "standard input is longer than a job can be (1.0 MiB)",
	} {
		q := command(t, "queue", "push", "large")
		q.Stdin = strings.NewReader(strings.Repeat("x", size))
		require.Equal(t, 1, q.run())
		require.Contains(t, q.stderr.String(), says)
	}
}

func TestNamesOfQueuesAreOneALine(t *testing.T) {
	t.Parallel()
	push(t, "two\nlines", "a")
	out, _ := queueRun(t, 0, "ls")
	require.Contains(t, out, `"two\nlines"`+"\n")
	out, _ = queueRun(t, 0, "stats", "two\nlines")
	require.Contains(t, out, `"two\nlines"`)
}

func TestAPopThatWaitsGetsTheJobThatComes(t *testing.T) {
	t.Parallel()
	q := command(t, "queue", "pop", "pop-waits", "--timeout", "60s", "--json").begin()
	c := client(t)
	waitUntil(t, func() bool { return len(keysBelow(t, c, "quorate/queue/q/pop-waits/c/consumer/")) == 1 })
	push(t, "pop-waits", "job")
	require.Contains(t, q.expect("{"), `"payload":"job"`)
	require.Equal(t, 0, q.code(), q.stderr)
}

func TestLinesOfStandardInputAreJobs(t *testing.T) {
	t.Parallel()
	q := command(t, "queue", "push", "lines", "--lines", "--json")
	q.Stdin = strings.NewReader("one\n\ntwo\nthree")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Len(t, jsonLines(t, q.stdout.String()), 3)
	out, _ := queueRun(t, 0, "pop", "lines", "-n", "3")
	require.Equal(t, "one\ntwo\nthree\n", out)

	var many strings.Builder
	for i := range 2500 {
		many.WriteString(strconv.Itoa(i) + "\n")
	}
	q = command(t, "queue", "push", "lines", "--lines", "--quiet")
	q.Stdin = strings.NewReader(many.String())
	require.Equal(t, 0, q.run(), q.stderr)
	require.Empty(t, q.stdout.String())
	require.EqualValues(t, 2500, stats(t, "lines")["ready"])

	q = command(t, "queue", "push", "lines", "--lines", "--quiet")
	q.Stdin = strings.NewReader("fine\n" + strings.Repeat("x", 2<<20))
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), "after 1 job was pushed: line 2 is longer than a job can be")
}

func TestLinesArePushedAsTheyCome(t *testing.T) {
	t.Parallel()
	q := command(t, "queue", "push", "as-they-come", "--lines").begin()
	_, err := q.stdin.Write([]byte("one\n"))
	require.NoError(t, err)
	q.expect("0-0-")
	out, _ := queueRun(t, 0, "pop", "as-they-come")
	require.Equal(t, "one", out)
	q.stdin.Close()
	require.Equal(t, 0, q.code(), q.stderr)
}

func TestAUniqueKeyThatIsTakenIsSaidToBe(t *testing.T) {
	t.Parallel()
	ids := push(t, "unique", "--unique", "order-17", "one")
	_, says := queueRun(t, 75, "push", "unique", "--unique", "order-17", "two")
	require.Contains(t, says, `the key "order-17" is taken by job `+ids[0])
	queueRun(t, 0, "pop", "unique")
	push(t, "unique", "--unique", "order-17", "two")
}

func TestJobsCarryWhatPushWasTold(t *testing.T) {
	t.Parallel()
	push(t, "options", "--delay", "1h", "--priority", "3", "--header", "a=b=c", "--expire", "2h", "later")
	push(t, "options", "--priority", "9", "--at", "2001-02-03T04:05:06Z", "now")
	out, _ := queueRun(t, 0, "ls", "options", "--json")
	jobs := jsonLines(t, out)
	require.Len(t, jobs, 2)
	require.Equal(t, "ready", jobs[0]["state"])
	require.EqualValues(t, 9, jobs[0]["priority"])
	require.Equal(t, "delayed", jobs[1]["state"])
	require.EqualValues(t, 3, jobs[1]["priority"])
	require.Equal(t, map[string]any{"a": "b=c"}, jobs[1]["headers"])
	require.NotEmpty(t, jobs[1]["due"])
	require.NotEmpty(t, jobs[1]["expires"])
}

func TestAQueueIsPausedResumedCancelledAndPurged(t *testing.T) {
	t.Parallel()
	ids := push(t, "care", "a", "b", "c", "d")
	queueRun(t, 0, "pause", "care", "--reason", "repairs")
	out, _ := queueRun(t, 0, "stats", "care")
	require.Regexp(t, `care +4 .* paused: repairs`, out)
	_, says := queueRun(t, 75, "pop", "care")
	require.Contains(t, says, "is paused")
	queueRun(t, 0, "resume", "care")
	out, _ = queueRun(t, 0, "pop", "care")
	require.Equal(t, "a", out)

	out, _ = queueRun(t, 0, "cancel", "care", ids[1], ids[3])
	require.Equal(t, "2 jobs removed\n", out)
	_, says = queueRun(t, 1, "cancel", "care", ids[1])
	require.Contains(t, says, "there is no job")
	out, _ = queueRun(t, 0, "ls", "care")
	require.Contains(t, out, ids[2])
	require.NotContains(t, out, ids[1])
	queueRun(t, 0, "purge", "care", "--state", "ready", "--all")
	require.Zero(t, stats(t, "care")["ready"])

	out, _ = queueRun(t, 0, "ls")
	require.Contains(t, out, "care\n")
}

func TestNoCommandMakesAQueueByLookingAtIt(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"stats typo", "ls typo", "show typo x", "cancel typo x", "redrive typo --all", "purge typo --state dead --all", "pause typo", "resume typo"} {
		_, says := queueRun(t, 1, strings.Fields(args)...)
		require.Contains(t, says, `there is no queue "typo"`, args)
	}
	require.Empty(t, keysBelow(t, client(t), "quorate/queue/n/typo"))
}

func TestQueueCommandsSayWhatIsWrongWithTheirArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"push", "the name of the queue is missing"},
		{"push x y --lines", "--lines and a PAYLOAD exclude each other"},
		{"push x y z --unique k", "--unique is for a single job"},
		{"push x y --unique-for 1h", "--unique-for must be positive, and goes with --unique"},
		{"push x y --unique k --unique-for 0", "--unique-for must be positive, and goes with --unique"},
		{"push x y --unique k --unique-for -1s", "--unique-for must be positive, and goes with --unique"},
		{"push x y --at=", `--at "" is no time like 2026-01-31T18:00:00Z`},
		{"push x y --delay 1s --at 2026-01-01T00:00:00Z", "--delay and --at exclude each other"},
		{"push x y --at tomorrow", `--at "tomorrow" is no time`},
		{"push x y --delay -1s", "--delay must not be negative"},
		{"push x y --priority 10", "--priority 10 is not between 0 and 9"},
		{"push x y --header nothing", `--header "nothing" is no name=value`},
		{"push x y --expire 0s", "--expire must be positive"},
		{"pop x y", `"y" is unexpected`},
		{"pop x -n 0", "-n must be between 1 and 1000"},
		{"pop x --timeout 0s", "--timeout must be positive"},
		{"ls x --state done", `--state "done" is none of`},
		{"ls x --limit -1", "--limit must not be negative"},
		{"ls --state ready", "--state and --limit are about the jobs of a queue"},
		{"push x y --header k=\xff", "is not valid UTF-8"},
		{"show x", "the id of the job is missing"},
		{"redrive x", "which ones?"},
		{"redrive x y --all", "--all goes with neither"},
		{"redrive x --older-than 0s", "--older-than must be positive"},
		{"purge x --all", "--state is missing"},
		{"purge x --state claimed --all", "claimed jobs cannot be purged"},
		{"cancel x", "the id of the job is missing"},
		{"work", "the name of the queue is missing"},
		{"work x", "the command to run is missing"},
		{"work x y", `"y" is unexpected`},
		{"work x --concurrency 0 -- true", "--concurrency must be between 1 and 1000"},
		{"work x --attempts 0 -- true", "--attempts must be at least 1"},
		{"work x --timeout 0s -- true", "--timeout must be positive"},
		{"work x --backoff 0s -- true", "--backoff must be positive"},
		{"work x --backoff 2s --max-backoff 1s -- true", "--max-backoff 1s is less than"},
		{"work x --stop-timeout 0s -- true", "--stop-timeout must be positive"},
		{"work x --dead-on 0 -- true", "--dead-on 0 is not between 1 and 255"},
		{"work x --ttl 1s -- true", "--ttl must be at least 2s"},
		{"work x --grace 9s -- true", "--grace 9s is too long for --ttl 10s"},
	} {
		_, says := queueRun(t, 2, strings.Fields(c.args)...)
		require.Contains(t, says, c.says, c.args)
		require.Equal(t, 1, strings.Count(says, "\n"), says)
	}
	_, says := queueRun(t, 127, "work", "x", "--", "no-such-command-anywhere")
	require.Contains(t, says, `command "no-such-command-anywhere" is not found`)
	q := command(t, append([]string{"queue", "work", "x", "--endpoints", nobody(t), "--command-timeout", "3s", "--", os.Args[0]}, asHelper)...)
	require.Equal(t, 69, q.run(), q.stderr)
	require.Contains(t, q.stderr.String(), "no etcd answers at")
}

package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func lockArgs(flags string, helper ...string) []string {
	args := append([]string{"lock"}, strings.Fields(flags)...)
	return append(append(args, "--"), helper...)
}

func TestLockExitsAsTheCommandDoes(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 1, 7, 255} {
		q := command(t, lockArgs("exit-codes", helperCommand("exit", strconv.Itoa(code))...)...)
		require.Equal(t, code, q.run(), q.stderr)
		require.Empty(t, q.stderr.String())
	}
	require.Empty(t, contenders(t, client(t), "exit-codes"), "the lock is released")
}

func TestTheCommandFindsNameAndGrowingTokenInItsEnvironment(t *testing.T) {
	t.Parallel()
	last := int64(0)
	for range 3 {
		q := command(t, lockArgs("env/of it", helperCommand("env", "QUORATE_LOCK", "QUORATE_TOKEN")...)...)
		q.Args = append([]string{q.Args[0], asQuorate, "lock", "env/of it", "--"}, helperCommand("env", "QUORATE_LOCK", "QUORATE_TOKEN")...)
		require.Equal(t, 0, q.run(), q.stderr)
		lock, token, ok := strings.Cut(q.stdout.String(), "\n")
		require.True(t, ok)
		require.Equal(t, "QUORATE_LOCK=env/of it", lock)
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(token, "QUORATE_TOKEN=")), 10, 64)
		require.NoError(t, err)
		require.Greater(t, n, last)
		last = n
	}
}

func TestTheCommandHasStandardInputOutputAndErrorOfQuorate(t *testing.T) {
	t.Parallel()
	q := command(t, lockArgs("stdio", helperCommand("copy")...)...)
	q.Stdin = strings.NewReader("one\ntwo\n")
	require.Equal(t, 0, q.run())
	require.Equal(t, "one\ntwo\n", q.stdout.String())
	require.Equal(t, "copied\n", q.stderr.String())
}

func TestACommandThatCannotRunIsToldApartAsShellsDo(t *testing.T) {
	t.Parallel()
	q := command(t, lockArgs("missing", "no-such-command-anywhere")...)
	require.Equal(t, 127, q.run())
	require.Equal(t, "quorate: command \"no-such-command-anywhere\" is not found\n", q.stderr.String())

	q = command(t, lockArgs("missing", t.TempDir())...)
	require.Equal(t, 126, q.run())
	require.Contains(t, q.stderr.String(), "cannot be run")
	require.Empty(t, contenders(t, client(t), "missing"))
}

func TestALockThatIsHeldIsNotObtained(t *testing.T) {
	t.Parallel()
	holder := command(t, lockArgs("held", helperCommand("read")...)...).begin()
	holder.expect("ready")

	q := command(t, lockArgs("held --try", helperCommand("exit", "0")...)...)
	require.Equal(t, 75, q.run())
	require.Contains(t, q.stderr.String(), `lock "held" is not obtained: `)

	q = command(t, lockArgs("held --timeout 2s", helperCommand("exit", "0")...)...)
	require.Equal(t, 75, q.run())
	require.Contains(t, q.stderr.String(), `lock "held" is not obtained within 2s`)
	require.Len(t, contenders(t, client(t), "held"), 1, "those who gave up are out of the line")

	holder.stdin.Close()
	require.Equal(t, 0, holder.code(), holder.stderr)
	require.Equal(t, 0, command(t, lockArgs("held --try", helperCommand("exit", "0")...)...).run())
}

func TestCommandsUnderOneLockRunOneAtATime(t *testing.T) {
	t.Parallel()
	c := client(t)
	first := command(t, lockArgs("turns", helperCommand("read")...)...).begin()
	first.expect("ready")
	second := command(t, lockArgs("turns", helperCommand("read")...)...).begin()
	// The second stands in the line, or is on its way there, until the first ends.
	waitUntil(t, func() bool { return len(contenders(t, c, "turns")) == 2 })
	select {
	case line := <-second.lines.ch:
		t.Fatalf("the second runs beside the first: %s", line)
	default:
	}
	first.stdin.Close()
	second.expect("ready")
	second.stdin.Close()
	require.Equal(t, 0, first.code())
	require.Equal(t, 0, second.code())
}

func TestLockReportsEventsAsJSONOnStandardError(t *testing.T) {
	t.Parallel()
	q := command(t, lockArgs("events --json", helperCommand("exit", "4")...)...)
	require.Equal(t, 4, q.run())
	require.Empty(t, q.stdout.String())
	events := jsonLines(t, q.stderr.String())
	require.Len(t, events, 2)
	require.Equal(t, "acquired", events[0]["event"])
	require.Equal(t, "events", events[0]["lock"])
	require.Positive(t, events[0]["token"])
	require.Equal(t, "released", events[1]["event"])
	require.Equal(t, events[0]["token"], events[1]["token"])
	require.EqualValues(t, 4, events[1]["exit"])
}

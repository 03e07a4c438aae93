package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	queueRun(t, 0, "push", "full", "a", "b")
	for _, args := range []string{
		"--help", "help lock", "completion zsh", "version", "status", "seq ls", "lock show nobody-has-it",
		"elect show nobody-stands", "seq next full", "seq next full -n 10000", "seq ls --json", "queue ls", "queue stats", "queue pop full",
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		require.NoError(t, err)
		q := command(t, strings.Fields(args)...)
		q.Stdout = full
		require.Equal(t, 1, q.run(), args)
		require.NoError(t, full.Close())
		require.Contains(t, q.stderr.String(), "write to standard output: no space left on device", args)
		require.Equal(t, 1, strings.Count(q.stderr.String(), "\n"), q.stderr)
	}
	require.EqualValues(t, 2, stats(t, "full")["ready"], "a job that was not printed is still there")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	q := command(t, "queue", "push", "full", "c")
	q.Stdout = full
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), "after 1 job was pushed: its id could not be shown")
}

func TestAReaderWhoHasSeenEnoughIsNoErrorToTellOf(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"--help", "seq next unread -n 100000", "status", "lock show nobody-has-it", "elect watch nobody-stands", "elect watch nobody-stands --json"} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		q := command(t, strings.Fields(args)...)
		q.Stdout = w
		require.Equal(t, 141, q.run(), "%s: %s", args, q.stderr)
		require.NoError(t, w.Close())
		require.Empty(t, q.stderr.String(), args)
	}
}

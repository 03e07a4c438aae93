package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// holding runs a command under locks until its standard input is closed.
func holding(t *testing.T, flags string) *quorate {
	t.Helper()
	q := command(t, lockArgs(flags, helperCommand("read")...)...).begin()
	q.expect("ready")
	return q
}

// letGo ends what holding started.
func (q *quorate) letGo() {
	q.t.Helper()
	q.stdin.Close()
	require.Equal(q.t, 0, q.code(), q.stderr)
}

// tryLock tries to get locks and gives the exit code and what was said.
func tryLock(t *testing.T, flags string) (int, string) {
	t.Helper()
	q := command(t, lockArgs(flags+" --try", helperCommand("exit", "0")...)...)
	return q.run(), q.stderr.String()
}

func TestSharedHoldersRunTogetherAndExcludeTheOthers(t *testing.T) {
	t.Parallel()
	a, b := holding(t, "catalog --shared"), holding(t, "catalog --shared")
	code, says := tryLock(t, "catalog")
	require.Equal(t, 75, code)
	require.Contains(t, says, `lock "catalog" is not obtained: it is held by host `)
	a.letGo()
	b.letGo()
	w := holding(t, "catalog")
	code, _ = tryLock(t, "catalog --shared")
	require.Equal(t, 75, code)
	w.letGo()
	code, says = tryLock(t, "catalog")
	require.Equal(t, 0, code, says)
}

func TestSlotsAreHeldByThatManyAtATimeAndAllMustSayTheSame(t *testing.T) {
	t.Parallel()
	a, b := holding(t, "licences --slots 3"), holding(t, "licences --slots 3 --weight 2")
	code, says := tryLock(t, "licences --slots 3")
	require.Equal(t, 75, code, says)
	code, says = tryLock(t, "licences --slots 5")
	require.Equal(t, 1, code)
	require.Contains(t, says, "is used with --slots 3 by others, and here with --slots 5: all must say the same")
	a.letGo()
	code, says = tryLock(t, "licences --slots 3")
	require.Equal(t, 0, code, says)
	b.letGo()
	code, says = tryLock(t, "licences")
	require.Equal(t, 1, code)
	require.Contains(t, says, `lock "licences" is used with --slots 3 by others, and here with neither --slots nor --quarantine`)
	code, says = tryLock(t, "unasked licences --quarantine 5s")
	require.Equal(t, 1, code)
	require.Contains(t, says, `lock "licences" is used with --slots 3 by others, and here with --quarantine 5s`)
}

func TestSeveralLocksAreHeldTogetherUnderOneToken(t *testing.T) {
	t.Parallel()
	q := command(t, lockArgs("one two --json", helperCommand("env", "QUORATE_LOCK", "QUORATE_TOKEN")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	require.True(t, strings.HasPrefix(q.stdout.String(), "QUORATE_LOCK=one\ntwo\nQUORATE_TOKEN="), q.stdout)
	events := jsonLines(t, q.stderr.String())
	require.Equal(t, []any{"one", "two"}, events[0]["locks"])
	require.NotContains(t, events[0], "lock")

	a := holding(t, "one two")
	for _, name := range []string{"one", "two"} {
		code, says := tryLock(t, name)
		require.Equal(t, 75, code)
		require.Contains(t, says, `lock "`+name+`" is not obtained`)
	}
	code, says := tryLock(t, "two three")
	require.Equal(t, 75, code)
	require.Contains(t, says, `locks "two", "three" are not obtained: one is held by`)
	code, says = tryLock(t, "three")
	require.Equal(t, 0, code, says)
	a.letGo()
	code, says = tryLock(t, "two one")
	require.Equal(t, 0, code, says)
	code, says = tryLock(t, "two two")
	require.Equal(t, 2, code)
	require.Contains(t, says, `lock "two" is named twice`)
}

func TestALockMayBeNamedAsACommandIs(t *testing.T) {
	t.Parallel()
	c := client(t)
	a := holding(t, "--name ls --name show")
	require.Len(t, contenders(t, c, "ls"), 1)
	require.Len(t, contenders(t, c, "show"), 1)
	a.letGo()
}

func TestAfterAKillTheLockIsInQuarantine(t *testing.T) {
	t.Parallel()
	a := holding(t, "careful --quarantine 20s --ttl 2s")
	require.NoError(t, a.Process.Kill())
	_ = a.Wait()
	c := client(t)
	waitUntil(t, func() bool { // the lease has run out
		q := command(t, "lock", "show", "careful", "--json")
		require.Equal(t, 0, q.run(), q.stderr)
		return jsonLines(t, q.stdout.String())[0]["in_quarantine"] == true
	})
	code, says := tryLock(t, "careful --quarantine 20s")
	require.Equal(t, 75, code)
	require.Contains(t, says, "in quarantine after a loss")
	q := command(t, lockArgs("careful --quarantine 20s --timeout 90s", helperCommand("exit", "0")...)...)
	require.Equal(t, 0, q.run(), q.stderr)
	require.Len(t, contenders(t, c, "careful"), 1, "the settings")
}

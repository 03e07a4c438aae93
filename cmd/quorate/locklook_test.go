package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// show gives what "lock show --json" tells.
func show(t *testing.T, name string) map[string]any {
	t.Helper()
	q := command(t, "lock", "show", name, "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	return jsonLines(t, q.stdout.String())[0]
}

// sessionFor makes a session that ends with the test.
func sessionFor(t *testing.T) *etcd.Session {
	t.Helper()
	s, err := etcd.NewSession(t.Context(), client(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func TestShowTellsWhoHoldsAndWhoWaitsAndSinceWhen(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Second)
	holder := holding(t, "shown --meta ticket=OPS-17")
	waiter := command(t, lockArgs("shown", helperCommand("exit", "0")...)...).begin()
	waitUntil(t, func() bool { return len(show(t, "shown")["waiters"].([]any)) == 1 })

	s := show(t, "shown")
	require.Equal(t, "shown", s["lock"])
	h := s["holders"].([]any)[0].(map[string]any)
	require.EqualValues(t, holder.Process.Pid, h["pid"])
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, host, h["host"])
	require.Equal(t, "exclusive", h["mode"])
	require.Equal(t, "OPS-17", h["meta"].(map[string]any)["ticket"])
	require.NotEmpty(t, h["meta"].(map[string]any)["command"])
	since, err := time.Parse(time.RFC3339, h["since"].(string))
	require.NoError(t, err)
	require.True(t, since.After(began) && since.Before(time.Now()))
	w := s["waiters"].([]any)[0].(map[string]any)
	require.EqualValues(t, 1, w["position"])
	require.Greater(t, w["token"], h["token"])

	q := command(t, "lock", "show", "shown")
	require.Equal(t, 0, q.run(), q.stderr)
	rows := strings.Split(strings.TrimSpace(q.stdout.String()), "\n")
	require.Len(t, rows, 4)
	require.Equal(t, "lock shown: exclusive, 1 waiting", rows[0])
	require.Regexp(t, `^POSITION +MODE +TOKEN +HOST +PROCESS +PROGRAM +AGE +META$`, rows[1])
	require.Regexp(t, fmt.Sprintf(`^holds +exclusive +\d+ .* %d .*ticket=OPS-17`, holder.Process.Pid), rows[2])
	require.Regexp(t, fmt.Sprintf(`^1 +exclusive +\d+ .* %d `, waiter.Process.Pid), rows[3])

	holder.letGo()
	require.Equal(t, 0, waiter.code())
	q = command(t, "lock", "show", "shown")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, "lock shown: free, 0 waiting\n", q.stdout.String())
}

func TestLsListsTheLocksThatAreInUse(t *testing.T) {
	t.Parallel()
	names := []string{"listed/a b", "listed shared", "listed-slots"}
	a, b := lock.New(sessionFor(t), names[0]), lock.NewRW(sessionFor(t), names[1])
	sem := lock.NewSemaphore(sessionFor(t), names[2], 5)
	ha, err := a.Acquire(t.Context())
	require.NoError(t, err)
	hb, err := b.AcquireRead(t.Context())
	require.NoError(t, err)
	hc, err := sem.Acquire(t.Context(), 2)
	require.NoError(t, err)

	q := command(t, "lock", "ls")
	require.Equal(t, 0, q.run(), q.stderr)
	out := q.stdout.String()
	require.Regexp(t, `^LOCK +STATE +HOLDER +AGE +WAITING\n`, out)
	require.Regexp(t, `"listed/a b" +exclusive +\S+ \d+ \S+ +[\d.]+m?s +0\n`, out)
	require.Regexp(t, `"listed shared" +shared `, out)
	require.Regexp(t, `listed-slots +2 of 5 slots `, out)

	q = command(t, "lock", "ls", "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	listed := map[string]map[string]any{}
	for _, l := range jsonLines(t, q.stdout.String())[0]["locks"].([]any) {
		l := l.(map[string]any)
		listed[l["lock"].(string)] = l
	}
	require.EqualValues(t, 5, listed[names[2]]["slots"])
	require.EqualValues(t, 2, listed[names[2]]["taken"])
	require.Equal(t, "shared", listed[names[1]]["holders"].([]any)[0].(map[string]any)["mode"])
	for _, h := range []*lock.Handle{ha, hb, hc} {
		require.NoError(t, h.Release(t.Context()))
	}
	require.NoError(t, lock.Forget(t.Context(), client(t), names[2]))
}

func TestBreakEndsTheCommandOfTheHolderAndTellsItTheReason(t *testing.T) {
	t.Parallel()
	holder := command(t, lockArgs("stuck --grace 300ms", helperCommand("wait")...)...).begin()
	holder.expect("ready")
	next := command(t, lockArgs("stuck", helperCommand("exit", "0")...)...).begin()
	waitUntil(t, func() bool { return len(show(t, "stuck")["waiters"].([]any)) == 1 })
	q := command(t, "lock", "break", "stuck", "--reason", "build 17 hangs")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Regexp(t, fmt.Sprintf(`^lock stuck is broken: token \d+ of \S+ %d `, holder.Process.Pid), q.stdout.String())
	require.Equal(t, 76, holder.code())
	require.Contains(t, holder.stderr.String(), `lock "stuck" was lost while `)
	require.Contains(t, holder.stderr.String(), "build 17 hangs")
	require.Equal(t, 0, next.code())

	q = command(t, "lock", "break", "stuck")
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), `nobody holds lock "stuck"`)
}

func TestBreakOfOneOfSeveralNeedsItsToken(t *testing.T) {
	t.Parallel()
	a, b := holding(t, "pool --shared"), holding(t, "pool --shared")
	q := command(t, "lock", "break", "pool")
	require.Equal(t, 2, q.run())
	require.Contains(t, q.stderr.String(), `2 hold lock "pool": say which with --token`)
	var token float64
	for _, h := range show(t, "pool")["holders"].([]any) {
		if h := h.(map[string]any); h["pid"] == float64(b.Process.Pid) {
			token = h["token"].(float64)
		}
	}
	q = command(t, "lock", "break", "pool", "--token", fmt.Sprintf("%.0f", token), "--json")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Equal(t, token, jsonLines(t, q.stdout.String())[0]["broken"].(map[string]any)["token"])
	require.Equal(t, 76, b.code())
	q = command(t, "lock", "break", "pool", "--token", fmt.Sprintf("%.0f", token))
	require.Equal(t, 1, q.run())
	require.Contains(t, q.stderr.String(), "nobody in the line")
	a.letGo()
}

func TestAnotherProgramsContenderIsShownByItsKey(t *testing.T) {
	t.Parallel()
	c := client(t)
	key := lock.Root + "foreign/694d9a7c1f0b2e05"
	_, err := c.Put(t.Context(), key, []byte("gar\nbage"))
	require.NoError(t, err)
	q := command(t, "lock", "show", "foreign")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Contains(t, q.stdout.String(), "lock foreign: unknown, 0 waiting")
	require.Contains(t, q.stdout.String(), "key "+key)
	q = command(t, "lock", "break", "foreign")
	require.Equal(t, 0, q.run(), q.stderr)
	require.Empty(t, contenders(t, c, "foreign"))
}

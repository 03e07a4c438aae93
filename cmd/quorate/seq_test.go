package main

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// seq runs "quorate seq" with arguments that hold no spaces.
func seq(t *testing.T, args string) (stdout string, code int, stderr string) {
	t.Helper()
	q := command(t, append([]string{"seq"}, strings.Fields(args)...)...)
	code = q.run()
	return q.stdout.String(), code, q.stderr.String()
}

func seqOK(t *testing.T, args string) string {
	t.Helper()
	out, code, stderr := seq(t, args)
	require.Equal(t, 0, code, stderr)
	require.Empty(t, stderr)
	return out
}

func TestSeqNextPrintsNumbersThatNobodyElseGets(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1\n", seqOK(t, "next s1"))
	require.Equal(t, "2\n3\n4\n", seqOK(t, "next s1 -n 3"))
	require.Equal(t, "4\n", seqOK(t, "current s1"))
	require.JSONEq(t, `{"sequence":"s1","first":5,"last":6,"count":2,"step":1}`, seqOK(t, "next s1 -n 2 --json"))
	current := jsonLines(t, seqOK(t, "current s1 --json"))[0]
	require.EqualValues(t, 6, current["last"])
	require.Equal(t, "quorate/seq/s1", current["key"])

	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]bool{}
	for range 4 {
		q := command(t, "seq", "next", "s1", "-n", "25")
		wg.Go(func() {
			if code := q.run(); code != 0 {
				t.Errorf("exit %d: %s", code, q.stderr)
			}
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(q.stdout.String()) {
				got[line] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, got, 100)
	require.Equal(t, "106\n", seqOK(t, "current s1"))
}

func TestSeqFlagsSayHowASequenceIsCreatedAndMustAgreeLater(t *testing.T) {
	t.Parallel()
	require.Equal(t, "100\n99\n", seqOK(t, "next down --start 100 --step -1 --min 98 -n 2"))
	require.Equal(t, "98\n", seqOK(t, "next down"), "as it was found")
	_, code, stderr := seq(t, "next down")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "exhausted")
	_, code, stderr = seq(t, "next down --start 50 --step -1")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "start 100, step -1, min 98, max 100; wanted start 50")
	require.Equal(t, "1\n2\n", seqOK(t, "next round --max 2 --cycle -n 2"))
	require.Equal(t, "1\n", seqOK(t, "next round"))
}

func TestSeqSetGoesForwardAndBackwardsOnlyWithForce(t *testing.T) {
	t.Parallel()
	require.Empty(t, seqOK(t, "set s2 41000"))
	require.Equal(t, "41001\n", seqOK(t, "next s2"))
	_, code, stderr := seq(t, "set s2 5")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "41001")
	report := jsonLines(t, seqOK(t, "set s2 5 --force --json"))[0]
	require.EqualValues(t, 5, report["last"])
	require.Equal(t, "6\n", seqOK(t, "next s2"))
	require.Equal(t, "-1\n", seqOK(t, "next s3 --step -1"))
	require.Empty(t, seqOK(t, "set s3 -- -7"))
	require.Equal(t, "-8\n", seqOK(t, "next s3"))
	_, code, stderr = seq(t, "set s4 -- -7")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, `there is no sequence "s4", and one that set makes counts up from 1: -7 cannot be its last number`)
	_, code, _ = seq(t, "current s4")
	require.Equal(t, 1, code)
	require.Equal(t, "-1\n", seqOK(t, "next s4 --step -1"), "the failed one has not made it")
}

func TestSeqLsShowsEverySequence(t *testing.T) {
	t.Parallel()
	seqOK(t, "next ls1 --max 9")
	seqOK(t, "set ls2 0 --force")
	c := client(t)
	_, err := c.Put(t.Context(), "quorate/seq/ls3", []byte("17"))
	require.NoError(t, err)
	out := seqOK(t, "ls")
	require.Regexp(t, `(?m)^SEQUENCE +LAST +LEFT +START +STEP +MIN +MAX +CYCLE$`, out)
	require.Regexp(t, `(?m)^ls1 +1 +8 +1 +1 +1 +9 +false$`, out)
	require.Regexp(t, `(?m)^ls2 +- +9223372036854775807 `, out)
	require.Regexp(t, `(?m)^quorate/seq/ls3 .*no record`, out)
	all := jsonLines(t, seqOK(t, "ls --json"))[0]["sequences"].([]any)
	byName := map[string]map[string]any{}
	for _, s := range all {
		m := s.(map[string]any)
		byName[m["sequence"].(string)] = m
	}
	require.EqualValues(t, 8, byName["ls1"]["left"])
	require.Nil(t, byName["ls2"]["last"])
	require.NotEmpty(t, byName["ls3"]["error"])
}

func TestSeqErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"next", 2, "takes the name of one sequence"},
		{"next a b", 2, "takes the name of one sequence"},
		{"next a -n 0", 2, "-n must be between 1 and"},
		{"next a -n -3", 2, "-n must be between 1 and"},
		{"next a --step 0", 2, "the step is zero"},
		{"next a --start 5 --max 4", 2, "the start 5 is greater than the maximum 4"},
		{"set a", 2, "takes the name of a sequence and a number"},
		{"set a x", 2, `"x" is no number`},
		{"set a 99999999999999999999", 2, "is no number of 64 bits"},
		{"current never-used", 1, "there is no such sequence"},
		{"nxt a", 2, `unknown command "nxt"`},
		{"ls a", 2, "takes no arguments"},
	} {
		_, code, stderr := seq(t, c.args)
		require.Equal(t, c.code, code, "%s: %s", c.args, stderr)
		require.Contains(t, stderr, c.says, c.args)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	}
	q := command(t, "seq", "next", "x", "--endpoints", nobody(t), "--command-timeout", "3s")
	require.Equal(t, 69, q.run())
	require.Contains(t, q.stderr.String(), "no etcd answers at ")
}

func TestSeqNextPrintsManyNumbers(t *testing.T) {
	t.Parallel()
	lines := strings.Fields(seqOK(t, "next many -n 100000"))
	require.Len(t, lines, 100_000)
	require.Equal(t, strconv.Itoa(100_000), lines[99_999])
}

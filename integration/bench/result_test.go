package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/embedded"
)

var (
	faster = row{
		scenario: scenario{name: "put-128", unit: "puts/s", better: "higher", must: 2.5, aim: 3.5, peer: nobody},
		ours:     sample{value: 30_000, p50: 2 * time.Millisecond, p99: 5 * time.Millisecond, calls: 10, requests: 0.5, allocs: 4},
		peer:     sample{value: 10_000, p50: 7 * time.Millisecond, p99: 9 * time.Millisecond, calls: 5, requests: 1, allocs: 100},
		ratio:    3, rounds: 5,
	}
	slower = row{
		scenario: scenario{name: "get-1", unit: "ms", better: "lower", must: 1.8, aim: 1.5, peer: nobody},
		ours:     sample{value: 0.2}, peer: sample{value: 0.1}, ratio: 2, rounds: 1,
	}
	alone = row{
		scenario: scenario{name: "watch-10k", unit: "s", better: "lower", must: 2, aim: 1},
		ours:     sample{value: 1.25}, rounds: 1,
	}
)

func resultsOf(rows ...row) []result {
	var rs []result
	for _, r := range rows {
		rs = append(rs, r.result(1))
	}
	return rs
}

func TestJSONHasTheFieldsThatScriptsReadAndLeavesOutWhatIsNot(t *testing.T) {
	var out strings.Builder
	require.NoError(t, printJSON(&out, resultsOf(faster, alone)))
	var objects []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out.String()), &objects))
	require.Equal(t, []map[string]any{
		{"name": "put-128", "unit": "puts/s", "ours": 30000.0, "peer": 10000.0, "ratio": 3.0, "better": "higher", "must": 2.5, "aim": 3.5,
			"p50_ms": 2.0, "p99_ms": 5.0, "requests": 0.5, "allocs": 4.0,
			"peer_p50_ms": 7.0, "peer_p99_ms": 9.0, "peer_requests": 1.0, "peer_allocs": 100.0, "rounds": 5.0, "members": 1.0},
		{"name": "watch-10k", "unit": "s", "ours": 1.25, "better": "lower", "must": 2.0, "aim": 1.0, "rounds": 1.0, "members": 1.0},
	}, objects)

	out.Reset()
	require.NoError(t, printJSON(&out, nil))
	require.Equal(t, "[]\n", out.String())
}

func TestHowFarAFigureComes(t *testing.T) {
	ratio := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		want string
		r    result
	}{
		{"aim", result{Better: "higher", Ratio: ratio(3.5), Must: 2.5, Aim: 3.5}},
		{"must", result{Better: "higher", Ratio: ratio(2.5), Must: 2.5, Aim: 3.5}},
		{"MISSED", result{Better: "higher", Ratio: ratio(2.49), Must: 2.5, Aim: 3.5}},
		{"aim", result{Better: "lower", Ratio: ratio(1.5), Must: 1.8, Aim: 1.5}},
		{"must", result{Better: "lower", Ratio: ratio(1.8), Must: 1.8, Aim: 1.5}},
		{"MISSED", result{Better: "lower", Ratio: ratio(1.81), Must: 1.8, Aim: 1.5}},
		{"must", result{Better: "lower", Ours: 2, Must: 2, Aim: 1}},
		{"MISSED", result{Better: "lower", Ours: 2.1, Must: 2, Aim: 1}},
		{"MISSED", result{Better: "higher", Ratio: ratio(2000), Ours: 9_000, Must: 1000, Aim: 1000, MustBe: 12_000, AimBe: 25_000}},
		{"must", result{Better: "higher", Ratio: ratio(2000), Ours: 13_000, Must: 1000, Aim: 1000, MustBe: 12_000, AimBe: 25_000}},
	} {
		require.Equal(t, c.want, c.r.reached(), "%+v", c.r)
	}
}

func TestAGainIsAboveOneWhereWeAreBetter(t *testing.T) {
	rs := resultsOf(faster, slower, alone)
	require.Equal(t, 3.0, rs[0].gain())
	require.Equal(t, 0.5, rs[1].gain())
	require.Zero(t, rs[2].gain())
}

func TestFiguresHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.0123", 0.5: "0.5", 1: "1", 1.25: "1.25", 2.504: "2.5", 12.34: "12.3", 99.96: "100", 123.4: "123", 30123.4: "30123"} {
		require.Equal(t, want, figure(v))
	}
	require.Equal(t, "432µs/3.19ms", latencies(0.4321, 3.19345))
	require.Equal(t, "-", latencies(0, 0))
}

func TestTheTableShowsEveryFigure(t *testing.T) {
	var out strings.Builder
	require.NoError(t, printTable(&out, resultsOf(faster, slower, alone)))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4)
	require.Equal(t, []string{"put-128", "puts/s", "30000", "10000", "3x", "2.5x", "3.5x", "must", "2ms/5ms", "7ms/9ms", "0.5", "1", "4", "100"}, strings.Fields(lines[1]))
	require.Contains(t, lines[2], "MISSED")
	require.Equal(t, []string{"watch-10k", "s", "1.25", "-", "-", "2", "1", "must", "-", "-", "-", "-", "-", "-"}, strings.Fields(lines[3]))
}

// save writes a run as -json prints it.
func save(t *testing.T, rs []result) (file string) {
	var out strings.Builder
	require.NoError(t, printJSON(&out, rs))
	return write(t, "run.json", out.String())
}

func write(t *testing.T, name, text string) (file string) {
	file = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

func TestASavedRunIsReadAsItWas(t *testing.T) {
	rs := resultsOf(faster, slower, alone)
	got, err := readRun(save(t, rs))
	require.NoError(t, err)
	require.Equal(t, rs, got)
	for _, text := range []string{"", "[]", "{}", "[{}]", `[{"name":"x","better":"sideways"}]`, "put-128  3x"} {
		_, err := readRun(write(t, "run.json", text))
		require.Error(t, err, text)
	}
}

func TestDocumentsTakeTheTableBetweenTheirTwoLines(t *testing.T) {
	saved := save(t, resultsOf(faster, slower, alone))
	begin := tableBegin("run.json")
	another := tableBegin("another.json") + "other figures\n" + tableEnd
	doc := write(t, "README.md", another+begin+"old figures\n"+tableEnd+"after\n")
	for range 2 { // again, with the same outcome
		require.NoError(t, run(t.Context(), []string{"-markdown", saved, doc}, io.Discard, io.Discard))
		b, err := os.ReadFile(doc)
		require.NoError(t, err)
		require.Equal(t, another+begin+`| scenario | quorate | etcd's Go client | ratio | must | aim | p50 / p99 | its p50 / p99 | requests a call | allocations a call |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| `+"`put-128`"+` | 30000 puts/s | 10000 | 3x | 2.5x | 3.5x | 2ms / 5ms | 7ms / 9ms | 0.5 : 1 | 4 : 100 |
| `+"`get-1`"+` | 0.2 ms | 0.1 | 2x (missed) | 1.8x | 1.5x | – | – | – | – |
| `+"`watch-10k`"+` | 1.25 s | – | – | 2 | 1 | – | – | – | – |
`+tableEnd+"after\n", string(b))
	}
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-markdown", saved}, &out, io.Discard))
	require.True(t, strings.HasPrefix(out.String(), "| scenario |"))

	for _, text := range []string{"no place\n", begin + "no end\n", another} {
		doc := write(t, "other.md", text)
		err := run(t.Context(), []string{"-markdown", saved, doc}, io.Discard, io.Discard)
		require.ErrorContains(t, err, "has no place for figures")
		b, err := os.ReadFile(doc)
		require.NoError(t, err)
		require.Equal(t, text, string(b), "it stays as it is")
	}
}

// Of three, a ratio is shown without a word on what it should be.
func TestWhatMustBeReachedIsSaidOfOneMember(t *testing.T) {
	rs := resultsOf(slower)
	var one, three strings.Builder
	require.NoError(t, printMarkdown(&one, rs))
	rs[0].Members = 3
	require.NoError(t, printMarkdown(&three, rs))
	require.Contains(t, one.String(), "| 2x (missed) | 1.8x | 1.5x |")
	require.Contains(t, three.String(), "| 2x | – | – |")
}

func TestAChartShowsEveryScenarioWithAPeer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.svg")
	require.NoError(t, run(t.Context(), []string{"-chart", save(t, resultsOf(faster, slower, alone)), file}, io.Discard, io.Discard))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	dec := xml.NewDecoder(strings.NewReader(string(b)))
	var texts []string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if chars, ok := token.(xml.CharData); ok {
			texts = append(texts, strings.TrimSpace(string(chars)))
		}
	}
	for _, want := range []string{"put-128", "3x", "get-1", "0.5x"} {
		require.Contains(t, texts, want)
	}
	require.NotContains(t, texts, "watch-10k")

	err = run(t.Context(), []string{"-chart", save(t, resultsOf(alone)), file}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "no scenario with a peer")
}

func TestARunAgainstAServerGivesFiguresOfBothSides(t *testing.T) {
	cluster, err := embedded.Start(t.Context(), embedded.Config{})
	require.NoError(t, err)
	defer cluster.Stop(t.Context())
	full := quickPlan
	quickPlan.rounds, quickPlan.round, quickPlan.warm = 1, 50*time.Millisecond, 10*time.Millisecond
	defer func() { quickPlan = full }()
	var out, progress strings.Builder
	names := "put-128,get-128,put-1,get-1,lock-free-64,lock-hot-2"
	args := []string{"-quick", "-json", "-run", names, "-endpoints", strings.Join(cluster.Endpoints(), ",")}
	require.NoError(t, run(t.Context(), args, &out, &progress))
	rs, err := readRun(write(t, "run.json", out.String()))
	require.NoError(t, err)
	require.Len(t, rs, 6)
	for i, name := range strings.Split(names, ",") {
		r := rs[i]
		require.Equal(t, name, r.Name)
		require.Contains(t, progress.String(), name+" ... ")
		require.Positive(t, r.Ours, name)
		require.Equal(t, r.Ours / *r.Peer, *r.Ratio, name)
		for _, v := range []float64{r.P50, r.P99, r.Requests, r.Allocs, r.PeerP50, r.PeerP99, r.PeerRequests, r.PeerAllocs} {
			require.Positive(t, v, "%+v", r)
		}
		require.LessOrEqual(t, r.P50, r.P99, name)
		require.Equal(t, 1, r.Rounds)
	}
	require.Less(t, rs[0].Requests, 0.5, "callers share requests")
	require.Equal(t, 1.0, rs[2].Requests)
	require.Equal(t, 1.0, rs[2].PeerRequests)
}

package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// It is much work, so it runs alone: it is not parallel.
func TestTheDemonstrationsVerifyWhatTheyShow(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "quorate")
	build := command(t)
	build.Path, build.Args = goTool(t), []string{"go", "build", "-o", binary, "."}
	require.Equal(t, 0, build.run(), build.stderr)
	demo := func(t *testing.T, args ...string) map[string]any {
		q := command(t)
		q.Path, q.Args = binary, append([]string{"quorate", "demo"}, args...)
		require.Equal(t, 0, q.run(), q.stderr)
		report := jsonLines(t, q.stdout.String())[0]
		require.Equal(t, true, report["verified"])
		require.Empty(t, report["problems"])
		return report
	}
	t.Run("lock", func(t *testing.T) {
		t.Parallel()
		report := demo(t, "lock", "--json")
		require.EqualValues(t, 8, report["processes"])
		require.EqualValues(t, 1, report["killed"])
		require.EqualValues(t, 150, report["transfers"])
		require.EqualValues(t, 0, report["lost"])
		require.Positive(t, report["without_lock"].(map[string]any)["lost"], "the work needs a lock")
	})
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		report := demo(t, "--json", "--dir", "internal", "--workers", "3")
		require.Positive(t, report["files"])
		require.Equal(t, "worker-1", report["killed"])
		require.Positive(t, report["held_by_killed"])
		require.EqualValues(t, 0, report["lost"])
		require.EqualValues(t, 0, report["wrong"])
		require.EqualValues(t, 0, report["results_twice"])
		require.Positive(t, report["delivered_twice"], "the one that was not acknowledged")
		require.Greater(t, len(report["leaders"].([]any)), 1)
		require.Positive(t, report["files_per_s"])
	})
}

func TestTheDemonstrationSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--workers", "1"}, 2, "--workers must be between 2 and 32, not 1"},
		{[]string{"--limit", "0"}, 2, "--limit must be positive, not 0"},
		{[]string{"--dir", filepath.Join(t.TempDir(), "missing")}, 1, "list the files: "},
		{[]string{"--dir", t.TempDir()}, 1, "there are no files below"},
	} {
		q := command(t, append([]string{"demo"}, c.args...)...)
		require.Equal(t, c.code, q.run(), q.stderr)
		require.Contains(t, q.stderr.String(), c.says)
	}
}

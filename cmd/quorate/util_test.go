package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitUntil asks until the answer is yes.
func waitUntil(t *testing.T, yes func() bool) {
	t.Helper()
	deadline := time.Now().Add(bound)
	for !yes() {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func jsonLines(t *testing.T, s string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(s) {
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &v), line)
		out = append(out, v)
	}
	return out
}

func goTool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	require.NoError(t, err)
	return path
}

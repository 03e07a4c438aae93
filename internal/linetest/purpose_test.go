package linetest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFaultIsFoundByATestThatFailsOrPanicsAndNotByOneThatDoesNotEnd(t *testing.T) {
	for out, found := range map[string]string{
		"--- FAIL: TestThat (0.01s)\n    that_test.go:3: no\nFAIL\n":                                         "--- FAIL: TestThat",
		"=== RUN   TestThat\n    --- FAIL: TestThat/one (0.01s)\n":                                           "--- FAIL: TestThat/one",
		"panic: deadlock: all goroutines in bubble are blocked\n":                                            "panic: deadlock: all goroutines in bubble are blocked",
		"panic: test timed out after 1m0s\n\trunning tests:\n\t\tTestThat (59s)\n\ngoroutine 7 [running]:\n": "",
		// What failed before had found it.
		"--- FAIL: TestThat (0.01s)\npanic: test timed out after 1m0s\n": "--- FAIL: TestThat",
		"FAIL\tno such flag\n": "",
		"PASS\n":               "",
	} {
		require.Equal(t, found, finding(out), out)
	}
}

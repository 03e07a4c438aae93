package linetest

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faultVar names the fault that a process of tests is to have.
const faultVar = "QUORATE_TEST_FAULT"

// Break switches the fault on that this process is to have, if any. It is for
// TestMain.
func Break(faults map[string]*bool) {
	if name := os.Getenv(faultVar); name != "" {
		*faults[name] = true
	}
}

// within bounds the tests of one process: what takes half a minute may take minutes
// on a busy machine.
const within = 6 * time.Minute

// Caught asserts that each of the faults is found by some test of the package, but
// for those that skip matches: a check that has never found anything may be blind.
// A test that does not end has found nothing.
func Caught(t *testing.T, faults map[string]*bool, skip string) {
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), within+time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "-test.failfast", "-test.timeout="+within.String(), "-test.skip="+skip)
			c.Env = append(os.Environ(), faultVar+"="+name)
			out, err := c.CombinedOutput()
			require.Error(t, err, "not caught")
			caught := finding(string(out))
			require.NotEmpty(t, caught, "nothing was found: %s", out[:min(len(out), 2000)])
			t.Log(caught)
		})
	}
}

var findings = regexp.MustCompile(`--- FAIL: \S+|panic: .*`)

// finding gives what shows in the output of tests that one has found something;
// empty if nothing does. That their time was over does not: a slow machine is
// enough for that.
func finding(out string) string {
	for _, found := range findings.FindAllString(out, -1) {
		if !strings.HasPrefix(found, "panic: test timed out") {
			return found
		}
	}
	return ""
}

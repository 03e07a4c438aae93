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

// Caught asserts that each of the faults is found by some test of the package, but
// for those that skip matches: a check that has never found anything may be blind.
func Caught(t *testing.T, faults map[string]*bool, skip string) {
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "-test.failfast", "-test.timeout=60s", "-test.skip="+skip)
			c.Env = append(os.Environ(), faultVar+"="+name)
			out, err := c.CombinedOutput()
			require.Error(t, err, "not caught")
			caught := regexp.MustCompile(`--- FAIL: (\S+)|panic: .*`).FindString(string(out))
			require.NotEmpty(t, caught, string(out[:min(len(out), 2000)]))
			t.Log(strings.TrimSpace(caught))
		})
	}
}

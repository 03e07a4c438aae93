//go:build mutants

package lock_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
)

// faults are the ways in which locks can be broken on purpose.
var faults = map[string]*bool{
	"takes whoever leaves for the last in front":    &mutant.LockAnyDeparture,
	"deletes a key whoever created it":              &mutant.LockLooseRelease,
	"looks after no late attempt":                   &mutant.LockForgetsLate,
	"uses a key again that may come late":           &mutant.LockReusesKeys,
	"stays in the line when its wait fails":         &mutant.LockStays,
	"misses what happened before it watched itself": &mutant.LockUnwatched,
	"misses what happened before it watched others": &mutant.LockBlindStart,
	"takes a lost reply for a refusal":              &mutant.LockGuessesRefusal,
	"lets permits pass those that wait":             &mutant.LockPasses,
	"has a guard that outlives a downgrade":         &mutant.LockLooseGuard,
	"keeps the context of a lost lock":              &mutant.LockKeepsContext,
}

const faultVar = "QUORATE_TEST_FAULT"

func TestMain(m *testing.M) {
	if name := os.Getenv(faultVar); name != "" {
		*faults[name] = true
	}
	os.Exit(m.Run())
}

// A check that has never found anything may be blind. Each of these faults must
// be found by some test of this package.
func TestLocksThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "-test.failfast", "-test.timeout=60s", "-test.skip=OnPurpose|Example")
			c.Env = append(os.Environ(), faultVar+"="+name)
			out, err := c.CombinedOutput()
			require.Error(t, err, "not caught")
			caught := regexp.MustCompile(`--- FAIL: (\S+)|panic: .*`).FindString(string(out))
			require.NotEmpty(t, caught, string(out[:min(len(out), 2000)]))
			t.Log(strings.TrimSpace(caught))
		})
	}
}

//go:build mutants

package election_test

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

// faults are the ways in which elections can be broken on purpose.
var faults = map[string]*bool{
	"has a guard that holds again":                &mutant.TermComesBack,
	"has tokens that do not grow":                 &mutant.TermLooseToken,
	"uses a key again that was handed to another": &mutant.TermKeepsKey,
	"does not hear that it was deposed":           &mutant.TermDeaf,
	"leads on while it is handed over":            &mutant.TermOverstays,
	"does not notice that it was made leader":     &mutant.HeirDoubts,
	"does not tell that nobody leads":             &mutant.ObserverHopeful,
	"resigns before its work has stopped":         &mutant.RunHasty,
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
func TestElectionsThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "-test.failfast", "-test.timeout=60s", "-test.skip=OnPurpose|Example|WhateverBefalls")
			c.Env = append(os.Environ(), faultVar+"="+name)
			out, err := c.CombinedOutput()
			require.Error(t, err, "not caught")
			caught := regexp.MustCompile(`--- FAIL: (\S+)|panic: .*`).FindString(string(out))
			require.NotEmpty(t, caught, string(out[:min(len(out), 2000)]))
			t.Log(strings.TrimSpace(caught))
		})
	}
}

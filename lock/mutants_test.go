//go:build mutants

package lock_test

import (
	"os"
	"testing"

	"github.com/quorate/quorate/internal/linetest"
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

func TestMain(m *testing.M) {
	linetest.Break(faults)
	os.Exit(m.Run())
}

func TestLocksThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	linetest.Caught(t, faults, "OnPurpose|Example")
}

//go:build mutants

package election_test

import (
	"os"
	"testing"

	"github.com/quorate/quorate/internal/linetest"
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

func TestMain(m *testing.M) {
	linetest.Break(faults)
	os.Exit(m.Run())
}

func TestElectionsThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	linetest.Caught(t, faults, "OnPurpose|Example|WhateverBefalls")
}

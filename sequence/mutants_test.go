//go:build mutants

package sequence_test

import (
	"os"
	"testing"

	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/internal/mutant"
)

// faults are the ways in which sequences can be broken on purpose.
var faults = map[string]*bool{
	"changes a sequence whatever others made of it": &mutant.SequenceLooseCompare,
	"takes its own lost change for another's":       &mutant.SequenceForgetsNonces,
	"leaves no trace where an If does not hold":     &mutant.SequenceLeavesNoTrace,
	"starts a deleted sequence again":               &mutant.SequenceStartsAgain,
	"lets NextIn wait while others want numbers":    &mutant.SequenceStarvesNextIn,
}

func TestMain(m *testing.M) {
	linetest.Break(faults)
	os.Exit(m.Run())
}

func TestSequencesThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	linetest.Caught(t, faults, "OnPurpose|Example")
}

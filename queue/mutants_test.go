//go:build mutants

package queue_test

import (
	"os"
	"testing"

	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/internal/mutant"
)

// faults are the ways in which queues can be broken on purpose.
var faults = map[string]*bool{
	"claims although its presence is gone":              &mutant.QueueLooseClaim,
	"takes the claims of a consumer that is there":      &mutant.QueueTakesFromLiving,
	"blames a job for what its neighbour may have done": &mutant.QueueBlamesNeighbours,
	"commits a result though the job is gone":           &mutant.QueueLooseAckWith,
	"moves a job that somebody else has moved":          &mutant.QueueMovesTwice,
	"takes its own lost batch for none":                 &mutant.QueueForgetsBatches,
}

func TestMain(m *testing.M) {
	linetest.Break(faults)
	os.Exit(m.Run())
}

// The long ones of the tests would find some as well, but later.
func TestQueuesThatAreBrokenOnPurposeAreCaught(t *testing.T) {
	linetest.Caught(t, faults, "OnPurpose|Example|TestWhateverBefalls|TestNothing|TestOne|TestWhere|TestPro|TestAPro|TestASingle|TestALong")
}

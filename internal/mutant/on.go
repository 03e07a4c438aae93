//go:build mutants

// Package mutant names deliberate faults of the client, for tests that show
// that the checks of histories notice them.
package mutant

// The faults. Set them while no client is at work.
var (
	AdmitAll         bool
	RetryUnknown     bool
	UnknownIsRefused bool
	StaleReads       bool
	SwapResults      bool

	// Of locks.
	LockAnyDeparture   bool
	LockLooseRelease   bool
	LockForgetsLate    bool
	LockReusesKeys     bool
	LockStays          bool
	LockUnwatched      bool
	LockBlindStart     bool
	LockGuessesRefusal bool
	LockPasses         bool
	LockLooseGuard     bool
	LockKeepsContext   bool

	// Of elections.
	TermComesBack   bool
	TermLooseToken  bool
	TermKeepsKey    bool
	TermDeaf        bool
	TermOverstays   bool
	HeirDoubts      bool
	ObserverHopeful bool
	RunHasty        bool

	// Of sequences.
	SequenceLooseCompare  bool
	SequenceForgetsNonces bool
	SequenceLeavesNoTrace bool
	SequenceStartsAgain   bool
	SequenceStarvesNextIn bool

	// Of queues.
	QueueLooseClaim       bool
	QueueTakesFromLiving  bool
	QueueBlamesNeighbours bool
	QueueLooseAckWith     bool
	QueueMovesTwice       bool
	QueueForgetsBatches   bool
)

//go:build !mutants

// Package mutant names deliberate faults of the client. Built with the tag
// "mutants", tests can switch them on, one at a time, to show that the checks
// of histories notice them. Without the tag they are false constants, and the
// compiler leaves no trace of them.
package mutant

// The faults. Each breaks one promise.
const (
	// AdmitAll lets calls share a commit whatever they touch.
	AdmitAll = false
	// RetryUnknown sends a write again after an attempt that may have been
	// applied.
	RetryUnknown = false
	// UnknownIsRefused says of a write whose reply was lost that it was not
	// applied.
	UnknownIsRefused = false
	// StaleReads answers every read from the state of the member that is
	// asked.
	StaleReads = false
	// SwapResults gives two reads of a batch each other's result.
	SwapResults = false

	// Of locks: a contender ...

	// LockAnyDeparture takes whoever leaves from in front for the last one there.
	LockAnyDeparture = false
	// LockLooseRelease deletes a key whoever created it.
	LockLooseRelease = false
	// LockForgetsLate looks after no key that a late attempt may create.
	LockForgetsLate = false
	// LockReusesKeys uses a key again that a late attempt may create.
	LockReusesKeys = false
	// LockStays stays in the line when its wait fails.
	LockStays = false
	// LockUnwatched does not look for what happened to its key before it was watched.
	LockUnwatched = false
	// LockBlindStart does not read the line again when it begins to watch.
	LockBlindStart = false
	// LockGuessesRefusal takes a lost reply of an enqueue for a refusal.
	LockGuessesRefusal = false
	// LockPasses lets permits pass those that wait in front.
	LockPasses = false
	// LockLooseGuard gives a writer a guard that outlives its downgrade.
	LockLooseGuard = false
	// LockKeepsContext does not end a lost lock's context when its key is gone.
	LockKeepsContext = false

	// Of elections: a leader ...

	// TermComesBack has a guard that holds again when its key comes back to it.
	TermComesBack = false
	// TermLooseToken takes the revision of its key for its token, whenever it began.
	TermLooseToken = false
	// TermKeepsKey uses its key again after that was handed to another.
	TermKeepsKey = false
	// TermDeaf does not hear that it was deposed.
	TermDeaf = false
	// TermOverstays leads on while its transfer is under way.
	TermOverstays = false
	// HeirDoubts does not look whether it was handed the leadership.
	HeirDoubts = false
	// ObserverHopeful does not tell that nobody leads.
	ObserverHopeful = false
	// RunHasty resigns before its function has returned.
	RunHasty = false

	// Of sequences: a process ...

	// SequenceLooseCompare changes a sequence whatever others have made of it.
	SequenceLooseCompare = false
	// SequenceForgetsNonces takes its own change, whose reply was lost, for another's.
	SequenceForgetsNonces = false
	// SequenceLeavesNoTrace leaves the sequence alone where a NextIn's own If does
	// not hold.
	SequenceLeavesNoTrace = false
	// SequenceStartsAgain creates a sequence although its mark shows that it existed.
	SequenceStartsAgain = false
	// SequenceStarvesNextIn lets a NextIn wait for as long as others want numbers.
	SequenceStarvesNextIn = false

	// Of queues: a process ...

	// QueueLooseClaim claims although its presence is gone.
	QueueLooseClaim = false
	// QueueTakesFromLiving takes the claims of a consumer that is there.
	QueueTakesFromLiving = false
	// QueueBlamesNeighbours makes a dead letter of a job that has not crashed alone.
	QueueBlamesNeighbours = false
	// QueueLooseAckWith does not look whether the job of an AckWith is there.
	QueueLooseAckWith = false
	// QueueMovesTwice moves a job whether or not somebody else has moved it.
	QueueMovesTwice = false
	// QueueForgetsBatches takes its own batch, whose reply was lost, for one that was
	// not applied.
	QueueForgetsBatches = false
)

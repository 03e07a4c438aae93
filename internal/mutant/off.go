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
)

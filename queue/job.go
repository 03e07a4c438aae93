package queue

import (
	"maps"
	"time"

	"github.com/quorate/quorate/internal/names"
)

// State is where a job is.
type State uint8

// The states of a job. A job that is acknowledged or cancelled is gone.
const (
	Ready   State = iota + 1 // waits to be claimed, in the inbox too
	Claimed                  // a consumer has it
	Delayed                  // waits for its time, the first or the next
	Dead                     // a dead letter
)

// String is "ready", "claimed", "delayed" or "dead".
func (s State) String() string {
	switch s {
	case Ready:
		return "ready"
	case Claimed:
		return "claimed"
	case Delayed:
		return "delayed"
	case Dead:
		return "dead"
	}
	return "unknown"
}

// A Job is a job as it stands in the queue.
type Job struct {
	ID       string
	State    State
	Priority int
	// Attempt counts deliveries. Of a Delivery it is the number of this one,
	// from 1; of a job that waits, how many there were.
	Attempt    int
	EnqueuedAt time.Time
	Due        time.Time // of a delayed job; otherwise when it was due, or zero
	Expires    time.Time // zero: never
	Unique     string    // its unique key; empty if it has none
	Headers    map[string]string
	LastError  string // why it was not acknowledged last time
	// Of a dead letter: why, by what ("handler", "crash", "expired",
	// "unreadable") and when it became one.
	Reason string
	DiedBy string
	DiedAt time.Time
	// Of a claimed job: the consumer, and since when.
	Consumer     string
	ClaimedSince time.Time
	// Suspect: a consumer died with it, so it is claimed alone.
	Suspect bool

	Payload []byte // not to be changed

	key         string // where it stands
	mod         int64  // and since which revision
	uniqueUntil int64
	env         *envelope
}

// job makes a Job of what stands under a key.
func (e *envelope) job(state State, key string, mod int64) Job {
	j := Job{
		ID: e.ID, State: state, Priority: e.Priority, Attempt: e.Attempts,
		EnqueuedAt: timeAt(e.At), Due: timeAt(e.Due), Expires: timeAt(e.Expires),
		Headers: maps.Clone(e.Headers), LastError: e.LastError,
		Reason: e.Reason, DiedBy: e.DiedBy, DiedAt: timeAt(e.Died),
		Payload: e.payload, key: key, mod: mod, uniqueUntil: e.UniqueUntil, env: e,
	}
	if e.Unique != "" {
		if name, err := names.Unescape(e.Unique); err == nil {
			j.Unique = name
		} else {
			j.Unique = e.Unique
		}
	}
	return j
}

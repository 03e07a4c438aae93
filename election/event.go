package election

import "strconv"

// An Event is a change of an election that an observer sees.
type Event struct {
	Kind EventKind
	// Revision made it so. Where Present is set it is the revision at which
	// the state was read.
	Revision int64
	// Leader is who leads from here on: of Elected and Proclaimed.
	Leader Candidate
	// Present says that this is how things stand, at the beginning or after
	// a Gap, and not something that was seen to happen.
	Present bool
	// Transferred says that the leadership was handed over: the leader did
	// not get it because its turn had come.
	Transferred bool
}

// EventKind says what happened.
type EventKind uint8

// What an observer sees.
const (
	// Elected: another leads.
	Elected EventKind = iota + 1
	// Proclaimed: the leader has said something else.
	Proclaimed
	// Vacant: nobody leads any more.
	Vacant
	// Gap: what happened after the event before was compacted before it could
	// be seen. The next event tells how things stand.
	Gap
)

// String is "elected", "proclaimed", "vacant" or "gap".
func (k EventKind) String() string {
	switch k {
	case Elected:
		return "elected"
	case Proclaimed:
		return "proclaimed"
	case Vacant:
		return "vacant"
	case Gap:
		return "gap"
	}
	return "EventKind(" + strconv.Itoa(int(k)) + ")"
}

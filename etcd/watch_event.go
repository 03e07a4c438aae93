package etcd

import "strconv"

// An Event is one change of one key.
type Event struct {
	Type EventType
	// KV is the key as it is after the change. Of a deletion only Key and
	// ModRevision, the revision that deleted it, are set.
	KV KV
	// Prev is the key as it was before, where WithPrev asked for it, the key
	// was there, and it has not been compacted.
	Prev *KV
}

// EventType tells a put from a deletion.
type EventType uint8

// The types of events.
const (
	EventPut EventType = iota
	EventDelete
)

// String is "put" or "delete".
func (t EventType) String() string {
	switch t {
	case EventPut:
		return "put"
	case EventDelete:
		return "delete"
	}
	return "EventType(" + strconv.Itoa(int(t)) + ")"
}

// IsCreate reports whether the event is the put that created the key.
func (e Event) IsCreate() bool {
	return e.Type == EventPut && e.KV.CreateRevision == e.KV.ModRevision
}

// Revision is the revision that made the change.
func (e Event) Revision() int64 { return e.KV.ModRevision }

// eventOverhead is what an event costs beside its keys and values.
const eventOverhead = 96

// bytes estimates what the event holds of memory.
func (e *Event) bytes() int64 {
	n := eventOverhead + len(e.KV.Key) + len(e.KV.Value)
	if e.Prev != nil {
		n += eventOverhead + len(e.Prev.Key) + len(e.Prev.Value)
	}
	return int64(n)
}

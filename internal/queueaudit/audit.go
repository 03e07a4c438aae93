// Package queueaudit replays what happened to a queue's keys, and checks what
// must hold whatever went wrong. Tests against the in-memory gateway and against
// real etcd share it.
package queueaudit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// An Event is one change of one key.
type Event struct {
	Revision int64
	Key      string
	Value    []byte
	Prev     []byte // what the key held before; nil if it was not there
	Deleted  bool
}

// An Audit replays every event of the server and checks what must hold whatever
// happened: a job stands in one place at a time; positions are filled once; a
// job in the log disappears only by an acknowledgement under a claim of it, or
// by a removal that was asked for; what has disappeared never comes back.
type Audit struct {
	data    string // what the queue's keys start with
	removed func(id string) bool

	// Gone are the jobs that are gone, and since which revision.
	Gone map[string]int64
	// Faults is what did not hold.
	Faults []string

	places  map[string]map[string]bool // by id: keys
	filled  map[string]bool            // positions ever filled
	records map[string]record
}

type record struct {
	Priority int        `json:"p"`
	Runs     [][2]int64 `json:"runs"`
}

// New makes an audit of the queue whose keys start with data. removed tells
// which jobs may have been cancelled or purged.
func New(data string, removed func(id string) bool) *Audit {
	return &Audit{
		data: data, removed: removed, places: map[string]map[string]bool{}, Gone: map[string]int64{},
		filled: map[string]bool{}, records: map[string]record{},
	}
}

func (a *Audit) fault(format string, args ...any) {
	a.Faults = append(a.Faults, fmt.Sprintf(format, args...))
}

// Replay takes in events, revision by revision: those of one revision together.
func (a *Audit) Replay(events []Event) {
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Revision == events[0].Revision {
			n++
		}
		a.commit(events[:n])
		events = events[n:]
	}
}

func (a *Audit) commit(events []Event) {
	rev := events[0].Revision
	touched := map[string]string{} // id: a key it was deleted from
	next := map[string]*record{}
	for _, e := range events {
		key, ok := strings.CutPrefix(e.Key, a.data)
		if !ok {
			continue
		}
		kind, _, _ := strings.Cut(key, "/")
		switch kind {
		case "jobs", "inbox", "later", "dead":
			a.job(e, key, kind, touched)
		case "claim":
			next[key] = nil
			if !e.Deleted {
				r := record{}
				if err := json.Unmarshal(e.Value, &r); err != nil {
					a.fault("%d: record %s: %v", rev, key, err)
				}
				next[key] = &r
			}
		}
	}
	for id, key := range touched {
		if len(a.places[id]) > 0 {
			continue
		}
		a.Gone[id] = rev
		if strings.HasPrefix(key, "jobs/") && !a.claimed(key) && !a.removed(id) {
			a.fault("%d: job %s at %s was deleted without a claim", rev, id, key)
		}
		if !strings.HasPrefix(key, "jobs/") && !a.removed(id) {
			a.fault("%d: job %s at %s was deleted", rev, id, key)
		}
	}
	for id, keys := range a.places {
		if len(keys) > 1 {
			a.fault("%d: job %s stands in several places: %v", rev, id, keys)
		}
		if at := a.Gone[id]; at != 0 && len(keys) > 0 {
			a.fault("%d: job %s came back, which was gone at %d", rev, id, at)
		}
	}
	for key, r := range next {
		if delete(a.records, key); r != nil {
			a.records[key] = *r
		}
	}
}

func (a *Audit) job(e Event, key, kind string, touched map[string]string) {
	if e.Deleted {
		if e.Prev != nil {
			id := JobID(e.Prev)
			delete(a.places[id], key)
			touched[id] = key
		}
		return
	}
	if kind == "jobs" {
		if a.filled[key] {
			a.fault("%d: position %s was filled again", e.Revision, key)
		}
		a.filled[key] = true
	}
	id := JobID(e.Value)
	if a.places[id] == nil {
		a.places[id] = map[string]bool{}
	}
	a.places[id][key] = true
}

// claimed reports whether some consumer's record held the position.
func (a *Audit) claimed(key string) bool {
	p, _ := strconv.Atoi(key[5:6])
	pos, _ := strconv.ParseInt(key[7:], 16, 64)
	for _, r := range a.records {
		for _, u := range r.Runs {
			if r.Priority == p && u[0] <= pos && pos < u[1] {
				return true
			}
		}
	}
	return false
}

// Left gives the jobs that are not gone.
func (a *Audit) Left() (ids []string) {
	for id, keys := range a.places {
		if len(keys) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// JobID reads the id out of a job's value.
func JobID(value []byte) string {
	line, _, _ := bytes.Cut(value, []byte{'\n'})
	var head struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(line, &head)
	return head.ID
}

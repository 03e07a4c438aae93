package queue_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/quorate/quorate/etcdtest"
)

// An audit replays every event of the server and checks what must hold whatever
// happened: a job stands in one place at a time; positions are filled once; a
// job in the log disappears only by an acknowledgement under a claim of it, or
// by a removal that was asked for; what has disappeared never comes back.
type audit struct {
	data    string // what the queue's keys start with
	removed func(id string) bool

	places  map[string]map[string]bool // by id: keys
	gone    map[string]int64           // by id: revision
	filled  map[string]bool            // positions ever filled
	records map[string]auditRecord
	faults  []string
}

type auditRecord struct {
	Priority int        `json:"p"`
	Runs     [][2]int64 `json:"runs"`
}

func newAudit(data string, removed func(id string) bool) *audit {
	return &audit{
		data: data, removed: removed, places: map[string]map[string]bool{}, gone: map[string]int64{},
		filled: map[string]bool{}, records: map[string]auditRecord{},
	}
}

func (a *audit) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// replay takes in all events, revision by revision.
func (a *audit) replay(events []etcdtest.Event) {
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Revision == events[0].Revision {
			n++
		}
		a.commit(events[:n])
		events = events[n:]
	}
}

func (a *audit) commit(events []etcdtest.Event) {
	rev := events[0].Revision
	touched := map[string]string{} // id: a key it was deleted from
	next := map[string]*auditRecord{}
	for _, e := range events {
		key, ok := strings.CutPrefix(e.KV.Key, a.data)
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
				r := auditRecord{}
				if err := json.Unmarshal(e.KV.Value, &r); err != nil {
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
		a.gone[id] = rev
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
		if at := a.gone[id]; at != 0 && len(keys) > 0 {
			a.fault("%d: job %s came back, which was gone at %d", rev, id, at)
		}
	}
	for key, r := range next {
		if delete(a.records, key); r != nil {
			a.records[key] = *r
		}
	}
}

func (a *audit) job(e etcdtest.Event, key, kind string, touched map[string]string) {
	if e.Deleted {
		if e.Prev != nil {
			id := jobID(e.Prev.Value)
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
	id := jobID(e.KV.Value)
	if a.places[id] == nil {
		a.places[id] = map[string]bool{}
	}
	a.places[id][key] = true
}

// claimed reports whether some consumer's record held the position.
func (a *audit) claimed(key string) bool {
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

// left gives the jobs that are not gone.
func (a *audit) left() (ids []string) {
	for id, keys := range a.places {
		if len(keys) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

func jobID(value []byte) string {
	line, _, _ := bytes.Cut(value, []byte{'\n'})
	var head struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(line, &head)
	return head.ID
}

// audit replays the server's events, and fails the test for every fault found.
// removed tells which jobs may have been cancelled or purged.
func (w *world) audit(removed ...string) *audit {
	w.Helper()
	may := map[string]bool{}
	for _, id := range removed {
		may[id] = true
	}
	a := newAudit(data, func(id string) bool { return may[id] })
	a.replay(w.srv.Events())
	for _, f := range a.faults {
		w.Error(f)
	}
	if len(a.faults) > 0 {
		w.FailNow()
	}
	return a
}

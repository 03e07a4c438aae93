package line

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/etcd"
)

// Kind is what a contender asks for.
type Kind string

// The kinds of contenders.
const (
	Writer  Kind = "writer"  // excludes all others
	Reader  Kind = "reader"  // shares with readers
	Permits Kind = "permits" // shares as far as the limit goes
	// Candidate excludes all others; it stands for election.
	Candidate Kind = "candidate"
)

// A Note is the value of a contender's key: what it is, and who. It is written
// as JSON.
type Note struct {
	Kind    Kind              `json:"kind"`
	Weight  int64             `json:"weight,omitempty"`  // permits asked for
	Host    string            `json:"host,omitempty"`    // name of the machine
	PID     int               `json:"pid,omitempty"`     // process
	Program string            `json:"program,omitempty"` // base name of its executable
	Since   time.Time         `json:"since,omitzero"`    // when it enqueued, by its clock
	Held    *time.Time        `json:"held,omitempty"`    // permits: when it was admitted after a wait
	Meta    map[string]string `json:"meta,omitempty"`    // what the caller said
	Broken  *Breaking         `json:"broken,omitempty"`  // written in the commit that breaks it
	// Quarantine is that of the line, as the contender believes.
	Quarantine string `json:"quarantine,omitempty"`
	// Released is written in the commit of the release by a holder that had to
	// wait, for the next in line (see Entry.removal).
	Released bool `json:"released,omitempty"`
	// Value is what a candidate says, as it last proclaimed it.
	Value []byte `json:"value,omitempty"`
	// Proclaimed counts its proclamations.
	Proclaimed int64 `json:"proclaimed,omitempty"`
	// Heir is set in a key that was handed over: whom to.
	Heir *Heir `json:"heir,omitempty"`
	// Asked is set in a leader's key by whoever wants it to hand over.
	Asked *Asking `json:"asked,omitempty"`
}

// A Breaking tells who took a lock away, and why.
type Breaking struct {
	Reason  string `json:"reason"`
	Host    string `json:"host,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Program string `json:"program,omitempty"`
}

// A Member is a contender as it stands in the line.
type Member struct {
	Note
	Key     string
	Token   int64 // its create revision
	Changed int64 // the revision that last changed it
	Lease   etcd.LeaseID
	Foreign bool // the value is not a Note: another program's
	raw     []byte
}

// self is what every note of this process says of it.
var self = sync.OnceValue(func() Note {
	host, _ := os.Hostname()
	n := Note{Host: host, PID: os.Getpid()}
	if len(os.Args) > 0 {
		n.Program = filepath.Base(os.Args[0])
	}
	return n
})

// maxMeta bounds what a caller can say of itself, names and values together.
const maxMeta = 4096

// NewNote makes the note of a contender that enqueues now.
func NewNote(kind Kind, weight int64, meta map[string]string) (Note, error) {
	size := 0
	for k, v := range meta {
		size += len(k) + len(v)
	}
	if size > maxMeta {
		return Note{}, fmt.Errorf("the metadata is larger than %d bytes: it has %d", maxMeta, size)
	}
	n := self()
	n.Kind, n.Weight, n.Meta = kind, weight, meta
	n.Since = time.Now().UTC().Truncate(time.Millisecond)
	return n, nil
}

// NewBreaking makes the reason that a loser is told.
func NewBreaking(reason string) *Breaking {
	n := self()
	return &Breaking{Reason: reason, Host: n.Host, PID: n.PID, Program: n.Program}
}

// encode gives the bytes of the note.
func (n Note) encode() []byte {
	b, err := json.Marshal(n)
	if err != nil { // only a year beyond 9999 does that
		n.Since, n.Held = time.Time{}, nil
		b, _ = json.Marshal(n)
	}
	return b
}

// member reads a contender's key.
func member(kv etcd.KV) Member {
	m := foreign(kv)
	var n Note
	if json.Unmarshal(kv.Value, &n) == nil && n.Kind != "" && n.Weight >= 0 {
		m.Note, m.Foreign = n, false
	}
	return m
}

// foreign is a contender of whose value nothing is known.
func foreign(kv etcd.KV) Member {
	return Member{Note: Note{Value: kv.Value}, Key: kv.Key, Token: kv.CreateRevision, Changed: kv.ModRevision, Lease: kv.Lease, Foreign: true, raw: kv.Value}
}

// Who describes the contender for messages.
func (m Member) Who() string {
	var parts []string
	if m.Host != "" {
		parts = append(parts, "host "+clip(m.Host))
	}
	if m.PID != 0 {
		p := fmt.Sprintf("process %d", m.PID)
		if m.Program != "" {
			p += " (" + clip(m.Program) + ")"
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("key %.128q", m.Key))
	}
	if !m.Since.IsZero() {
		parts = append(parts, "in line since "+m.Since.Format(time.RFC3339))
	}
	return strings.Join(parts, ", ") + fmt.Sprintf(", token %d", m.Token)
}

// clip bounds another program's words in a message and keeps them on a line.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	if q := fmt.Sprintf("%q", s); q != `"`+s+`"` {
		return q
	}
	return s
}

package cli

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/quorate/quorate/election"
)

// An electionReport is the state of an election as "elect ls --json" and "elect
// show --json" print it.
type electionReport struct {
	Election   string            `json:"election"`
	Revision   int64             `json:"revision,omitempty"`
	Leader     *candidateReport  `json:"leader"`
	Candidates []candidateReport `json:"candidates"`
}

// A candidateReport is one who leads or wants to.
type candidateReport struct {
	Position int               `json:"position"` // 0 leads
	ID       int64             `json:"id"`       // the revision that created its key
	Value    string            `json:"value"`
	Base64   string            `json:"value_base64,omitempty"` // instead, where it is no text
	Host     string            `json:"host,omitempty"`
	PID      int               `json:"pid,omitempty"`
	Program  string            `json:"program,omitempty"`
	Since    *time.Time        `json:"since,omitempty"`
	Age      float64           `json:"age_seconds,omitempty"`
	Meta     map[string]string `json:"meta,omitempty"`
	Lease    string            `json:"lease"`
	Key      string            `json:"key"`
}

func newElectionReport(s *election.State, now time.Time) electionReport {
	r := electionReport{Election: s.Name, Revision: s.Revision, Candidates: []candidateReport{}}
	if s.Leader != nil {
		l := newCandidateReport(*s.Leader, now)
		r.Leader = &l
	}
	for _, c := range s.Candidates {
		r.Candidates = append(r.Candidates, newCandidateReport(c, now))
	}
	return r
}

func newCandidateReport(c election.Candidate, now time.Time) candidateReport {
	r := candidateReport{
		Position: c.Position, ID: c.Created, Value: string(c.Value), Host: c.Host, PID: c.PID, Program: c.Program,
		Meta: c.Metadata, Lease: c.Lease.String(), Key: c.Key,
	}
	if !utf8.Valid(c.Value) {
		r.Value, r.Base64 = "", base64.StdEncoding.EncodeToString(c.Value)
	}
	if !c.Since.IsZero() {
		r.Since = &c.Since
		r.Age = now.Sub(c.Since).Seconds()
	}
	return r
}

// what shows the candidate's value on a line.
func (r candidateReport) what() string {
	if r.Base64 != "" {
		return word("base64:" + r.Base64)
	}
	return word(r.Value)
}

// who is a candidate's process in a few words.
func (r candidateReport) who() string {
	return contenderReport{Host: r.Host, PID: r.PID, Program: r.Program, Key: r.Key}.who()
}

func (r candidateReport) age() string {
	return contenderReport{Since: r.Since, Age: r.Age}.age()
}

// An observation is an election.Event as "elect watch --json" prints it.
type observation struct {
	Event       string           `json:"event"` // elected, proclaimed, vacant or gap
	Election    string           `json:"election"`
	Revision    int64            `json:"revision"`
	Leader      *candidateReport `json:"leader,omitempty"`
	Present     bool             `json:"present,omitempty"`
	Transferred bool             `json:"transferred,omitempty"`
}

func newObservation(name string, ev election.Event, now time.Time) observation {
	o := observation{
		Event: ev.Kind.String(), Election: name, Revision: ev.Revision, Present: ev.Present, Transferred: ev.Transferred,
	}
	if ev.Leader.Key != "" {
		l := newCandidateReport(ev.Leader, now)
		o.Leader = &l
	}
	return o
}

// line is an observation for people.
func (o observation) line(now time.Time) string {
	var b strings.Builder
	b.WriteString(now.Format("15:04:05") + "  " + o.Event)
	if o.Leader != nil {
		fmt.Fprintf(&b, "%*s%s  (%s)", 12-len(o.Event), "", o.Leader.what(), o.Leader.who())
	}
	if o.Transferred {
		b.WriteString("  handed over")
	}
	if o.Event == election.Gap.String() {
		b.WriteString("  changes were compacted before they could be seen")
	}
	return b.String()
}

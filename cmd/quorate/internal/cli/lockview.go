package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/lock"
)

// A lockReport is the state of a lock as "lock ls --json" and "lock show
// --json" print it.
type lockReport struct {
	Lock         string            `json:"lock"`
	Revision     int64             `json:"revision,omitempty"` // of "lock show"
	Slots        int64             `json:"slots,omitempty"`
	Taken        int64             `json:"taken,omitempty"` // of the slots
	Quarantine   float64           `json:"quarantine_seconds,omitempty"`
	InQuarantine bool              `json:"in_quarantine,omitempty"`
	Holders      []contenderReport `json:"holders"`
	Waiters      []contenderReport `json:"waiters"`
}

// A contenderReport is one who holds a lock or waits for it.
type contenderReport struct {
	Position int               `json:"position"` // 0 holds
	Mode     string            `json:"mode"`     // exclusive, shared, slots or unknown
	Weight   int64             `json:"weight,omitempty"`
	Token    int64             `json:"token"`
	Host     string            `json:"host,omitempty"`
	PID      int               `json:"pid,omitempty"`
	Program  string            `json:"program,omitempty"`
	Since    *time.Time        `json:"since,omitempty"`
	Age      float64           `json:"age_seconds,omitempty"`
	Meta     map[string]string `json:"meta,omitempty"`
	Lease    string            `json:"lease"`
	Key      string            `json:"key"`
}

func newLockReport(s *lock.State, now time.Time) lockReport {
	r := lockReport{
		Lock: s.Name, Revision: s.Revision, Slots: s.Limit,
		Quarantine: s.Quarantine.Seconds(), InQuarantine: s.InQuarantine,
		Holders: []contenderReport{}, Waiters: []contenderReport{},
	}
	for _, c := range s.Holders {
		r.Holders = append(r.Holders, newContenderReport(c, now))
		r.Taken += c.Weight
	}
	for _, c := range s.Waiters {
		r.Waiters = append(r.Waiters, newContenderReport(c, now))
	}
	return r
}

func newContenderReport(c lock.Contender, now time.Time) contenderReport {
	r := contenderReport{
		Position: c.Position, Mode: mode(c.Kind), Weight: c.Weight, Token: c.Token,
		Host: c.Host, PID: c.PID, Program: c.Program, Meta: c.Metadata,
		Lease: c.Lease.String(), Key: c.Key,
	}
	if !c.Since.IsZero() {
		r.Since = &c.Since
		r.Age = now.Sub(c.Since).Seconds()
	}
	return r
}

// mode is what a contender asks for, in the words of the flags.
func mode(kind string) string {
	switch kind {
	case "writer":
		return "exclusive"
	case "reader":
		return "shared"
	case "permits":
		return "slots"
	}
	return "unknown"
}

// state is the lock in a few words.
func (r lockReport) state() string {
	switch {
	case r.InQuarantine:
		return "in quarantine"
	case r.Slots > 0:
		return fmt.Sprintf("%d of %d slots", r.Taken, r.Slots)
	case len(r.Holders) == 0:
		return "free"
	}
	return r.Holders[0].Mode
}

// by is the one who has held it longest, and how many there are beside.
func (r lockReport) by() string {
	if len(r.Holders) == 0 {
		return "-"
	}
	who := r.Holders[0].who()
	if n := len(r.Holders) - 1; n > 0 {
		who += fmt.Sprintf(" and %d more", n)
	}
	return who
}

// who is a contender in a few words. They are another program's, so they are
// bounded and made printable.
func (r contenderReport) who() string {
	var parts []string
	if r.Host != "" {
		parts = append(parts, word(r.Host))
	}
	if r.PID != 0 {
		parts = append(parts, strconv.Itoa(r.PID))
	}
	if r.Program != "" {
		parts = append(parts, word(r.Program))
	}
	if len(parts) == 0 {
		return "key " + word(r.Key)
	}
	return strings.Join(parts, " ")
}

// meta is what a contender says of itself.
func (r contenderReport) meta() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(r.Meta)) {
		parts = append(parts, word(k)+"="+word(r.Meta[k]))
	}
	return strings.Join(parts, " ")
}

// age is how long a contender has been in the line, by its clock and ours.
func (r contenderReport) age() string {
	if r.Since == nil {
		return "-"
	}
	return ago(time.Duration(r.Age * float64(time.Second)))
}

// word shows a string that may hold anything.
func word(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	if q := strconv.Quote(s); s == "" || strings.ContainsAny(s, " \t") || q != `"`+s+`"` {
		return q
	}
	return s
}

// ago shows an age for people.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0s" // their clock is ahead of ours
	case d < time.Minute:
		return d.Truncate(100 * time.Millisecond).String()
	case d < 48*time.Hour:
		return d.Truncate(time.Second).String()
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

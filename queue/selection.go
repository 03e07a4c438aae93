package queue

import (
	"errors"
	"slices"
	"time"
)

// A Selection says which jobs a Redrive or Purge is about; several together
// narrow it down. None means all.
type Selection interface{ applySelection(*selector) }

// selector is selections taken together.
type selector struct {
	ids    []string
	byID   bool
	before time.Time // zero: any time
	bad    error
}

type selection func(*selector)

func (f selection) applySelection(s *selector) { f(s) }

// ByID selects jobs by their ids. Those that are not there in that state are
// passed over.
func ByID(ids ...string) Selection {
	return selection(func(s *selector) { s.ids, s.byID = append(s.ids, ids...), true })
}

// OlderThan selects dead letters that died more than d ago, and other jobs that
// were enqueued more than d ago.
func OlderThan(d time.Duration) Selection {
	return selection(func(s *selector) {
		if d < 0 {
			s.bad = errors.New("the age is negative")
		}
		s.before = time.Now().Add(-d)
	})
}

func selecting(which []Selection) (selector, error) {
	var s selector
	for _, w := range which {
		if w != nil {
			w.applySelection(&s)
		}
	}
	return s, s.bad
}

// all reports whether nothing is left out.
func (s *selector) all() bool { return !s.byID && s.before.IsZero() }

// takes reports whether j is selected.
func (s *selector) takes(j *Job) bool {
	since := j.EnqueuedAt
	if j.State == Dead {
		since = j.DiedAt
	}
	return (!s.byID || slices.Contains(s.ids, j.ID)) && (s.before.IsZero() || since.Before(s.before))
}

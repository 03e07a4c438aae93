package queue

import (
	"slices"

	"github.com/quorate/quorate/etcd"
)

// A unit is what goes into a batch whole or not at all: the jobs of one call, or
// one job that moves.
type unit struct {
	jobs  []envelope
	fresh bool // jobs that are to be in the log get an id that tells the position
	// claims: the jobs' unique key is to be taken.
	claims bool
	// from is the key that the job moves away from; along are keys that go
	// with it.
	from  *etcd.KV
	along []string
	bytes int
	ops   int // operations, about
	cmps  int // comparisons
}

const (
	// maxOps is how many operations a batch has, and chunk how many of them a
	// nested transaction holds, with tail and soon among them: with the read of
	// the ring 2 + maxOps/chunk + chunk operations, and maxCmps + 2 + chunk, stay
	// below the 128 that the server takes.
	maxOps  = 3000
	chunk   = 60
	maxCmps = 60
)

// measure fills in what the unit takes.
func (u *unit) measure() {
	u.ops, u.cmps = len(u.along), 0
	if u.from != nil {
		u.ops++
		u.cmps++
	}
	for i := range u.jobs {
		u.ops++
		if u.jobs[i].Due != 0 {
			u.ops++ // at/
		}
	}
	if u.claims {
		u.cmps++
		u.ops += 2
	}
}

// takeUnits picks what may travel together.
func (q *core) takeUnits(waiting []*part[*unit]) int {
	var ops, cmps, bytes int
	moving := map[string]bool{}
	n := 0
	for _, p := range waiting {
		u := p.item
		if n > 0 && (ops+u.ops > maxOps || cmps+u.cmps > maxCmps || bytes+u.bytes > MaxJobBytes) {
			break
		}
		if u.from != nil {
			id := u.jobs[0].ID
			if moving[u.from.Key] { // the next batch finds it moved: here both comparisons would hold
				break
			}
			if moving[id] { // a copy, which would be put under the same keys
				break
			}
			moving[u.from.Key], moving[id] = true, true
		}
		ops, cmps, bytes = ops+u.ops, cmps+u.cmps, bytes+u.bytes
		n++
	}
	return n
}

// firstComers leaves those units out that ask for the same unique key as one
// before them: they learn from what comes of that.
func firstComers(us []*unit) []*unit {
	var seen map[string]bool
	return slices.DeleteFunc(us, func(u *unit) bool {
		if !u.claims {
			return false
		}
		if seen == nil {
			seen = make(map[string]bool)
		}
		key := u.jobs[0].Unique
		again := seen[key]
		seen[key] = true
		return again
	})
}

// refuse settles all of a flight that have no outcome and ask for a unique key
// that is taken, and tells how many that were.
func refuse(f *flight[*unit], unique string, err *DuplicateError) (n int) {
	for _, p := range f.parts {
		if u := p.item; !p.out && u.claims && u.jobs[0].Unique == unique {
			p.settle(err)
			n++
		}
	}
	return n
}

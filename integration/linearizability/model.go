package linearizability

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// keys is how many keys a history is about. Few keys make many meetings.
const keys = 5

// A cell is a key: its value, and how often it was changed since it was
// created. Version 0 means that it is missing.
type cell struct {
	Value   int
	Version int64
}

// A state is what the keys hold.
type state [keys]cell

// A txn is a call: a single operation is a txn without conditions.
type txn struct {
	If   []cond
	Then []op
	Else []op
}

// A cond compares a key's version or value.
type cond struct {
	Key     int
	Value   int  // what it must hold; -1: it must be missing
	Version bool // compare the version instead of the value
}

// An op is one operation of a txn.
type op struct {
	Kind  kind
	Key   int
	Value int  // of a put
	Prev  bool // the result tells what was there before
	Txn   *txn // of a nested transaction
}

type kind uint8

const (
	get kind = iota
	getAll
	put
	del
	delAll
	nest
)

// A result is what one operation gave back.
type result struct {
	Cells   state // what was read, or was there before, by key
	Deleted int64
	Txn     *outcome
}

// An outcome is what a call was told.
type outcome struct {
	Unknown   bool
	Revision  int64 // of the answer; 0 of a nested transaction. Of an unknown one, where it took effect, if that is known
	Succeeded bool
	Results   []result
}

func (c cond) holds(s *state) bool {
	x := s[c.Key]
	switch {
	case c.Value < 0:
		return x.Version == 0
	case c.Version:
		return x.Version == int64(c.Value)
	}
	return x.Version > 0 && x.Value == c.Value
}

// run applies t to s. All conditions, those of nested transactions included,
// look at before, the state before the outermost one.
func (t *txn) run(before, s *state) *outcome {
	o := &outcome{Succeeded: true}
	for _, c := range t.If {
		o.Succeeded = o.Succeeded && c.holds(before)
	}
	ops := t.Then
	if !o.Succeeded {
		ops = t.Else
	}
	for _, p := range ops {
		o.Results = append(o.Results, p.run(before, s))
	}
	return o
}

func (p op) run(before, s *state) (r result) {
	switch p.Kind {
	case get:
		r.Cells[p.Key] = s[p.Key]
	case getAll:
		r.Cells = *s
	case put:
		if p.Prev {
			r.Cells[p.Key] = s[p.Key]
		}
		s[p.Key] = cell{Value: p.Value, Version: s[p.Key].Version + 1}
	case del:
		if p.Prev {
			r.Cells[p.Key] = s[p.Key]
		}
		if s[p.Key].Version > 0 {
			r.Deleted = 1
		}
		s[p.Key] = cell{}
	case delAll:
		for i := range s {
			if s[i].Version > 0 {
				r.Deleted++
			}
			s[i] = cell{}
		}
	case nest:
		r.Txn = p.Txn.run(before, s)
	}
	return r
}

// writtenAt gives the revision at which t was carried out, if somebody saw a
// value it wrote, or 0.
func (t *txn) writtenAt(seen map[int]int64) int64 {
	for _, ps := range [][]op{t.Then, t.Else} {
		for _, p := range ps {
			switch p.Kind {
			case put:
				if r, ok := seen[p.Value]; ok {
					return r
				}
			case nest:
				if r := p.Txn.writtenAt(seen); r > 0 {
					return r
				}
			}
		}
	}
	return 0
}

// equals compares what a call was told with what it should have been.
func (o *outcome) equals(p *outcome) bool {
	return o.Succeeded == p.Succeeded && slices.EqualFunc(o.Results, p.Results, func(a, b result) bool {
		if a.Txn != nil && b.Txn != nil {
			return a.Txn.equals(b.Txn)
		}
		return a == b
	})
}

// world is the key space at a revision: the last that anybody was told.
type world struct {
	cells    state
	revision int64
}

// model is the key space as porcupine sees it. Besides what the calls were told
// of the keys it looks at the revisions of the answers, which must not go
// back. Calls that shared a commit have the same.
var model = porcupine.Model{
	Init: func() any { return world{} },
	Step: func(s, input, output any) (bool, any) {
		before := s.(world)
		after := before
		call := input.(txn)
		o := call.run(&before.cells, &after.cells)
		told := output.(*outcome)
		after.revision = max(before.revision, told.Revision)
		if told.Unknown {
			return told.Revision == 0 || told.Revision == after.revision, after
		}
		return told.Revision == after.revision && told.equals(o), after
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

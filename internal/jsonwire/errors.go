package jsonwire

import (
	"errors"
	"fmt"
)

// MaxDepth is how deeply objects and arrays may be nested. A reply of nested
// transactions costs three levels each.
const MaxDepth = 512

// ErrTooLarge is what a [Frames] reports for a document above its bound.
var ErrTooLarge = errors.New("jsonwire: document too large")

// SyntaxError says what was wrong with a document, and where. It carries at
// most one byte of the document itself.
type SyntaxError struct {
	Offset int    // of the first byte that is wrong, from the document's start
	What   string // what was wrong there
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("jsonwire: %s at offset %d", e.What, e.Offset)
}

// Refuse ends the reading with an error: what was read is JSON, but what says
// why it cannot stand there. It is for decoders that would otherwise make much
// of little.
func (r *Reader) Refuse(what string) { r.fail(r.pos, what) }

// fail records the first error.
func (r *Reader) fail(pos int, what string) {
	if r.err == nil {
		r.err = &SyntaxError{Offset: pos, What: what}
	}
}

// failExpected records that something else than want stands at pos.
func (r *Reader) failExpected(pos int, want string) {
	if r.err != nil {
		return
	}
	if pos >= len(r.data) {
		r.fail(len(r.data), "the document ends where "+want+" should be")
		return
	}
	r.fail(pos, fmt.Sprintf("found %q where %s should be", r.data[pos], want))
}

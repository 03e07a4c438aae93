package sequence

import (
	"fmt"
	"iter"
)

// A Range is a run of numbers that follow each other, taken at once. It is a
// plain value; the zero Range is empty.
type Range struct {
	cfg      Config
	first    int64
	n        uint64
	straight uint64 // how many of them stand before the cycle begins again
}

// First gives the first number; zero of an empty range.
func (r Range) First() int64 { return r.first }

// Last gives the last number; zero of an empty range. It is less than the first
// where the step is negative, or where the range goes on at the beginning of a
// cycle.
func (r Range) Last() int64 {
	if r.n == 0 {
		return 0
	}
	return r.at(r.n - 1)
}

// Len gives how many numbers there are.
func (r Range) Len() int64 { return int64(r.n) }

// Step gives the distance from one number to the next.
func (r Range) Step() int64 { return r.cfg.Step }

// All gives the numbers in order.
func (r Range) All() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := range r.n {
			if !yield(r.at(i)) {
				return
			}
		}
	}
}

// String shows the range for messages.
func (r Range) String() string {
	switch r.n {
	case 0:
		return "no numbers"
	case 1:
		return fmt.Sprint(r.first)
	}
	return fmt.Sprintf("%d numbers from %d to %d", r.n, r.first, r.Last())
}

// at gives number i, which must be less than n.
func (r Range) at(i uint64) int64 {
	if i < r.straight {
		return r.cfg.move(r.first, i)
	}
	return r.cfg.move(r.cfg.origin(), i-r.straight)
}

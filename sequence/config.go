package sequence

import (
	"fmt"
	"math"
)

// A Config is what all users of a sequence agree on. It is stored with the
// sequence when that is created. Where Step is positive the numbers go up from
// Start to Max, where it is negative they go down from Start to Min.
type Config struct {
	Start int64 // the first number
	Step  int64 // from one number to the next; not zero
	Min   int64 // no number is smaller
	Max   int64 // no number is greater
	// Cycle begins again behind the last number: at Min, or at Max where Step
	// is negative. From then on numbers are given out again.
	Cycle bool
}

// String shows the configuration in one line.
func (c Config) String() string {
	s := fmt.Sprintf("start %d, step %d, min %d, max %d", c.Start, c.Step, c.Min, c.Max)
	if c.Cycle {
		s += ", cycling"
	}
	return s
}

// check says what is wrong with the configuration.
func (c Config) check() error {
	switch {
	case c.Step == 0:
		return invalid("the step is zero")
	case c.Min > c.Max:
		return invalid("the minimum %d is greater than the maximum %d", c.Min, c.Max)
	case c.Start < c.Min:
		return invalid("the start %d is less than the minimum %d", c.Start, c.Min)
	case c.Start > c.Max:
		return invalid("the start %d is greater than the maximum %d", c.Start, c.Max)
	}
	return nil
}

// origin is where a cycle begins again.
func (c Config) origin() int64 {
	if c.Step > 0 {
		return c.Min
	}
	return c.Max
}

// stride is how far it is from one number to the next, whatever the direction.
func (c Config) stride() uint64 {
	if c.Step > 0 {
		return uint64(c.Step)
	}
	return -uint64(c.Step) // also of the least int64, which has no positive counterpart
}

// ahead gives how many numbers there are behind n, without beginning again.
// n must not lie outside of the bounds.
func (c Config) ahead(n int64) uint64 {
	if c.Step > 0 {
		return (uint64(c.Max) - uint64(n)) / c.stride()
	}
	return (uint64(n) - uint64(c.Min)) / c.stride()
}

// move gives the number that is k steps behind n. There must be that many.
func (c Config) move(n int64, k uint64) int64 {
	return int64(uint64(n) + k*uint64(c.Step)) // modulo 2^64, which is right as the result is in bounds
}

// from gives how many numbers there are from n on, n included.
func (c Config) from(n int64) uint64 { return plus(c.ahead(n), 1) }

// plus adds, and stays at the greatest number where the sum would exceed it.
func plus(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}

// before gives the number that would precede the start, if there is such a
// number at all.
func (c Config) before() (int64, bool) {
	n := c.Start - c.Step
	if (c.Step > 0) == (n < c.Start) {
		return n, true
	}
	return 0, false
}

// beyond reports whether a comes after b in the direction of the sequence.
func (c Config) beyond(a, b int64) bool {
	if c.Step > 0 {
		return a > b
	}
	return a < b
}

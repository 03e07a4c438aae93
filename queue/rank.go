package queue

import (
	"math/bits"
	"time"
)

// Whose turn it is. When something is to be done that one consumer can do, not
// all are to try. Each knows the living, and computes from the revision that
// told of the thing how many stand before it. The first few act at once, and
// then ever larger groups, a step later each: those in front may be busy,
// paused or dead, and whoever sees that it is done stays away.

const (
	stepJobs     = 5 * time.Millisecond
	stepPromote  = 50 * time.Millisecond
	stepTakeOver = 100 * time.Millisecond
)

// A promotion and a take-over are some requests, one after the other, and the
// others hear of it with the last one. Where these take long, steps are longer, so
// that the others do not come meanwhile.
const (
	stepTrips = 8
	stepMost  = time.Second
)

// step gives the step of what takes some requests. The caller holds the mutex.
func (c *consumer) step(least time.Duration) time.Duration {
	return min(max(least, stepTrips*c.trip), stepMost)
}

// turn is how long to wait for those in front: base is the revision that told,
// first how many are to act at once. The caller holds the mutex.
func (c *consumer) turn(base int64, first int64, step time.Duration) time.Duration {
	return time.Duration(group(c.place(len(c.view.alive), base), max(first, 1))) * step
}

// turnOf is turn among the n oldest consumers alone.
func (c *consumer) turnOf(n int, base int64, step time.Duration) time.Duration {
	return time.Duration(group(c.place(min(n, len(c.view.alive)), base), 1)) * step
}

// place is how many of the n oldest consumers stand before this one. The caller
// holds the mutex.
func (c *consumer) place(of int, base int64) int64 {
	n := int64(of)
	if n <= 1 {
		return 0
	}
	for i, a := range c.view.alive[:of] {
		if a.id == c.id {
			return ((int64(i)-base)%n + n) % n
		}
	}
	return n - 1 // not known to be alive: behind all others
}

// group is in which group a place is, if the first holds first, and each further
// one twice as many as the one before: 1, 2, 4, 8 ...
func group(place, first int64) int {
	return bits.Len64(uint64(place/first+1)) - 1
}

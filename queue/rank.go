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

// turn is how long to wait for those in front: base is the revision that told,
// first how many are to act at once. The caller holds the mutex.
func (c *consumer) turn(base int64, first int64, step time.Duration) time.Duration {
	n := int64(len(c.view.alive))
	if n <= 1 {
		return 0
	}
	place := n - 1 // not known to be alive: behind all others
	for i, a := range c.view.alive {
		if a.id == c.id {
			place = ((int64(i)-base)%n + n) % n
			break
		}
	}
	return time.Duration(group(place, max(first, 1))) * step
}

// group is in which group a place is, if the first holds first, and each further
// one twice as many as the one before: 1, 2, 4, 8 ...
func group(place, first int64) int {
	return bits.Len64(uint64(place/first+1)) - 1
}

package etcd

import (
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/internal/h1"
)

// An endpoint is one member's client port.
type endpoint struct {
	url    string // scheme://host:port
	host   string // host:port
	secure bool
	pool   *h1.Pool
	watch  watchTransports

	identity atomic.Pointer[identity] // what /version said when it was asked last

	// Times are in nanoseconds since the client began; 0 = not so.
	failedAt    atomic.Int64  // when it last failed
	silentSince atomic.Int64  // since when callers have given up waiting for it
	answers     atomic.Uint64 // how often it has answered
}

// endpoints chooses whom to ask: the one that answered last, as long as it
// does, so that connections are used again and calls share commits.
type endpoints struct {
	list  []*endpoint
	cur   atomic.Int32
	begun time.Time
}

const (
	// failureCooldown is how long an endpoint that failed is asked only after
	// the others.
	failureCooldown = 5 * time.Second
	// silenceLimit is for how long callers may give up waiting for an endpoint,
	// without one answer from it in between, before it counts as failed.
	silenceLimit = time.Second
)

func (e *endpoints) at(t time.Time) int64 { return max(int64(t.Sub(e.begun)), 0) + 1 }

// pick gives the endpoint to ask next. Those in skip have been asked in this
// round already.
func (e *endpoints) pick(skip uint64) *endpoint {
	start := int(e.cur.Load())
	if ep := e.list[start]; skip == 0 && ep.failedAt.Load() == 0 {
		return ep
	}
	n := len(e.list)
	now := e.at(time.Now())
	var oldest *endpoint
	var oldestAt int64
	for i := range n {
		at := (start + i) % n
		ep := e.list[at]
		if skip&(1<<(at%64)) != 0 {
			continue
		}
		f := ep.failedAt.Load()
		if f == 0 || now-f > int64(failureCooldown) {
			return ep
		}
		if oldest == nil || f < oldestAt {
			oldest, oldestAt = ep, f
		}
	}
	if oldest == nil {
		return e.list[start]
	}
	return oldest
}

func (e *endpoints) index(ep *endpoint) int {
	for i, x := range e.list {
		if x == ep {
			return i
		}
	}
	return 0
}

// failed notes that ep did not answer as it should; others are asked first for
// a while.
func (e *endpoints) failed(ep *endpoint) {
	ep.failedAt.Store(e.at(time.Now()))
	i := e.index(ep)
	e.cur.CompareAndSwap(int32(i), int32((i+1)%len(e.list)))
}

// silent notes that a caller who had asked ep at begin, when it had answered
// so many times, gave up waiting. One caller in a hurry says nothing of the
// endpoint; callers who give up one after the other without any answer in
// between do: it may hang, and their deadlines be shorter than an attempt's.
func (e *endpoints) silent(ep *endpoint, begin time.Time, answers uint64) {
	if ep.answers.Load() != answers {
		return // it has answered somebody since
	}
	since := ep.silentSince.Load()
	if at := e.at(begin); since == 0 || at < since {
		since = at
		ep.silentSince.Store(at)
	}
	if e.at(time.Now())-since >= int64(silenceLimit) {
		e.failed(ep)
	}
}

// worked notes that ep answered.
func (e *endpoints) worked(ep *endpoint) {
	ep.answers.Add(1)
	if ep.failedAt.Load() != 0 {
		ep.failedAt.Store(0)
	}
	if ep.silentSince.Load() != 0 {
		ep.silentSince.Store(0)
	}
}

// allAsked reports whether every endpoint is in asked.
func (e *endpoints) allAsked(asked uint64) bool {
	n := min(len(e.list), 64)
	return asked == ^uint64(0)>>(64-n)
}

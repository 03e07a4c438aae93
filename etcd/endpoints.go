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

	failedAt atomic.Int64 // when it last failed, in nanoseconds since the client began; 0 = it has not
}

// endpoints chooses whom to ask: the one that answered last, as long as it
// does, so that connections are used again and calls share commits.
type endpoints struct {
	list  []*endpoint
	cur   atomic.Int32
	begun time.Time
}

// failureCooldown is how long an endpoint that failed is asked only after the
// others.
const failureCooldown = 5 * time.Second

func (e *endpoints) now() int64 { return int64(time.Since(e.begun)) + 1 }

// pick gives the endpoint to ask next. Those in skip have been asked in this
// round already.
func (e *endpoints) pick(skip uint64) *endpoint {
	n := len(e.list)
	start := int(e.cur.Load())
	now := e.now()
	var oldest *endpoint
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
		if oldest == nil || f < oldest.failedAt.Load() {
			oldest = ep
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
	ep.failedAt.Store(e.now())
	i := e.index(ep)
	e.cur.CompareAndSwap(int32(i), int32((i+1)%len(e.list)))
}

// worked notes that ep answered.
func (e *endpoints) worked(ep *endpoint) {
	if ep.failedAt.Load() != 0 {
		ep.failedAt.Store(0)
	}
}

// allAsked reports whether every endpoint is in asked.
func (e *endpoints) allAsked(asked uint64) bool {
	n := min(len(e.list), 64)
	return asked == ^uint64(0)>>(64-n)
}

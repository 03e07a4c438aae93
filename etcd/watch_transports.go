package etcd

import (
	"sync"
	"time"
)

// reprobeAfter is how long a transport that did not work to an endpoint is not
// tried again.
const reprobeAfter = 10 * time.Minute

// watchTransports remembers which transports work to an endpoint.
type watchTransports struct {
	mu    sync.Mutex
	never [viaPost]time.Time // until when it is not tried
	fails [viaPost]int       // failures in a row without a clear refusal
	last  [viaPost]time.Time // when one of them was counted last
}

// best is the transport to try: HTTP/2 where there is TLS, else WebSocket, else
// one POST a watch.
func (t *watchTransports) best(secure bool) watchTransport {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch {
	case secure && now.After(t.never[viaHTTP2]):
		return viaHTTP2
	case now.After(t.never[viaWebSocket]):
		return viaWebSocket
	}
	return viaPost
}

// refused notes that a transport does not work here.
func (t *watchTransports) refused(by watchTransport) {
	if by >= viaPost {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.never[by] = time.Now().Add(reprobeAfter)
	t.fails[by] = 0
}

// failed notes that a transport failed, tried since begun, though the member was
// well just before, and reports whether that has happened too often. What fails
// side by side, as when something breaks every connection at once, counts once.
func (t *watchTransports) failed(by watchTransport, begun time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if begun.Before(t.last[by]) {
		return false
	}
	t.last[by] = time.Now()
	if t.fails[by]++; t.fails[by] < 3 {
		return false
	}
	t.fails[by] = 0
	t.never[by] = t.last[by].Add(reprobeAfter)
	return true
}

// worked notes that a transport carries watches.
func (t *watchTransports) worked(by watchTransport) {
	if by >= viaPost {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fails[by] = 0
}

// reprobe is when a better transport than by is worth trying; zero is never.
func (t *watchTransports) reprobe(by watchTransport, secure bool) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	var at time.Time
	for b := range by {
		if b == viaHTTP2 && !secure || t.never[b].IsZero() {
			continue
		}
		if at.IsZero() || t.never[b].Before(at) {
			at = t.never[b]
		}
	}
	return at
}

package etcdtest

import (
	"math/rand/v2"
	"time"
)

// A way is what a stream's bytes are on before they can be read. Nothing
// overtakes what was written before it.
type way struct {
	latency time.Duration // at most; 0 is no way at all
	parts   []part        // under way, oldest first
	bytes   int           // in them
	last    time.Time     // when the newest arrives
}

// A part is what was written at once.
type part struct {
	bytes int
	due   time.Time
}

// send puts so many bytes on the way and has arrived called when they come to
// its end. It reports false where there is no way.
func (w *way) send(bytes int, arrived func()) bool {
	if w.latency == 0 {
		return false
	}
	due := time.Now().Add(time.Duration(rand.Int64N(int64(w.latency) + 1)))
	if due.Before(w.last) {
		due = w.last
	}
	w.last = due
	w.parts = append(w.parts, part{bytes, due})
	w.bytes += bytes
	time.AfterFunc(time.Until(due), arrived)
	return true
}

// under says how many bytes are still under way.
func (w *way) under() int {
	for len(w.parts) > 0 && !w.parts[0].due.After(time.Now()) {
		w.bytes -= w.parts[0].bytes
		w.parts = w.parts[1:]
	}
	return w.bytes
}

// arrive is called when something may have come to the end of its way.
func (st *stream) arrive() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.touch()
}

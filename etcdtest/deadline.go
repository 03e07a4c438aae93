package etcdtest

import (
	"sync"
	"time"
)

// deadline is a point in time that calls under way wait for and that can be
// moved while they do.
type deadline struct {
	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
	moved chan struct{} // closed when the deadline is moved or passes
}

func newDeadline() *deadline { return &deadline{moved: make(chan struct{})} }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if until := time.Until(t); !t.IsZero() && until > 0 {
		d.timer = time.AfterFunc(until, d.wake)
	}
	d.wakeLocked()
}

func (d *deadline) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wakeLocked()
}

func (d *deadline) wakeLocked() {
	close(d.moved)
	d.moved = make(chan struct{})
}

// state says whether the deadline has passed, and returns a channel that is
// closed when it is moved or passes. Both belong to one moment, so that who
// looks and then waits misses nothing.
func (d *deadline) state() (passed bool, moved <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at), d.moved
}

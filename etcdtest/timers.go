package etcdtest

import "time"

// timer is a time.AfterFunc that the server waits for when it closes.
type timer struct {
	t *time.Timer
	s *Server
}

// after runs f under the server's mutex when d has passed, unless the timer is
// stopped or the server is closed before. The caller holds the mutex.
func (s *Server) after(d time.Duration, f func()) *timer {
	tm := &timer{s: s}
	if s.closed {
		return tm
	}
	s.timers[tm] = struct{}{}
	s.wg.Add(1)
	tm.t = time.AfterFunc(d, func() {
		defer s.wg.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, live := s.timers[tm]; !live {
			return // stopped after it fired
		}
		delete(s.timers, tm)
		f()
	})
	return tm
}

// stop ends the timer; its function will not run any more. The caller holds
// the mutex.
func (tm *timer) stop() {
	if tm == nil || tm.t == nil {
		return
	}
	delete(tm.s.timers, tm)
	if tm.t.Stop() {
		tm.s.wg.Done()
	}
}

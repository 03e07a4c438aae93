package etcdtest

// What can be done to members. They are counted from 0, as in URLs; an index
// that is not there is ignored.

// each runs f for member i under the mutex and lets the cluster settle.
func (s *Server) each(i int, f func(*member)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || i < 0 || i >= len(s.members) {
		return
	}
	f(s.members[i])
	s.settle()
}

// Pause stops a member as SIGSTOP does: its connections stay open, new ones
// are taken, and nothing comes back. The others choose another leader if it
// led.
func (s *Server) Pause(i int) {
	s.each(i, func(m *member) {
		if m.paused == nil {
			m.paused = make(chan struct{})
		}
	})
}

// Resume lets a paused member go on. What reached it in the meantime is
// carried out now, and leases whose time ran out expire.
func (s *Server) Resume(i int) {
	s.each(i, func(m *member) {
		if m.paused != nil {
			close(m.paused)
			m.paused = nil
		}
	})
}

// Kill ends a member as SIGKILL does: its connections break, new ones are
// refused, and it forgets its tokens.
func (s *Server) Kill(i int) { s.each(i, s.stop) }

// stop ends a member. The caller holds the mutex and lets the cluster settle.
func (s *Server) stop(m *member) {
	m.down = true
	m.starts++
	clear(m.tokens)
	s.cut(func(c *serverConn) bool { return c.member == m.index })
	for ws := range s.streams {
		if ws.member == m.index {
			ws.end(nil)
		}
	}
	if s.leader == m.index {
		s.leader = -1
	}
	if m.paused != nil {
		close(m.paused)
		m.paused = nil
	}
}

// Restart starts a killed member again, at the same address.
func (s *Server) Restart(i int) { s.each(i, func(m *member) { m.down = false }) }

// Partition cuts a member off from the other members, not from its clients: it
// answers pings, progress requests and serializable reads from what it last
// knew, and nothing that needs a leader.
func (s *Server) Partition(i int) {
	s.each(i, func(m *member) {
		if !m.cutOff {
			m.cutOff, m.view = true, s.store.rev
		}
	})
}

// Heal ends a Partition: the member catches up.
func (s *Server) Heal(i int) {
	s.each(i, func(m *member) {
		m.cutOff = false
		s.release()
	})
}

// LoseQuorum leaves the whole cluster without a leader.
func (s *Server) LoseQuorum() { s.setLeaderless(true) }

// RegainQuorum ends what LoseQuorum began. A new leader gives every lease its
// full TTL again.
func (s *Server) RegainQuorum() { s.setLeaderless(false) }

func (s *Server) setLeaderless(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.leaderless == on {
		return
	}
	s.leaderless = on
	s.leader = -1
	s.settle()
}

// Leader returns the index of the leading member, -1 where there is none.
func (s *Server) Leader() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hasQuorum() {
		return -1
	}
	return s.leader
}

// cut breaks the connections that which picks. The caller holds the mutex.
func (s *Server) cut(which func(*serverConn) bool) {
	for c := range s.conns {
		if which(c) {
			c.abort()
		}
	}
}

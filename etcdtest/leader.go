package etcdtest

import "time"

// leaderPatience is how long a stream that wants a leader lasts without one.
const leaderPatience = 3 * time.Second

// change returns a channel that is closed at the next change of the cluster.
// The caller holds the mutex.
func (s *Server) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *Server) broadcast() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// live says whether a member takes part in the cluster.
func (m *member) live() bool {
	return !m.down && !m.cutOff && m.paused == nil && !m.learner && !m.removed
}

// hasQuorum says whether the cluster can commit.
func (s *Server) hasQuorum() bool {
	live, voters := 0, 0
	for _, m := range s.members {
		if m.removed || m.learner {
			continue
		}
		voters++
		if m.live() {
			live++
		}
	}
	return !s.leaderless && live > voters/2
}

// hasLeader says whether a member knows a leader.
func (s *Server) hasLeader(i int) bool {
	m := s.members[i]
	return s.hasQuorum() && !m.cutOff && !m.down && !m.removed
}

// settle makes the cluster choose a leader if it needs and can have one, after
// something happened to a member. The caller holds the mutex.
func (s *Server) settle() {
	had := s.quorate
	s.quorate = s.hasQuorum()
	switch {
	case !s.quorate:
	case s.leader < 0, !s.members[s.leader].live(), !had && len(s.members) > 1:
		for i, m := range s.members {
			if m.live() {
				s.lead(i)
				break
			}
		}
	case !had:
		// A member alone that was paused goes on as the leader it was.
		for _, l := range s.leases {
			s.expire(l)
		}
	}
	for i := range s.members {
		if !s.hasLeader(i) && s.members[i].impatient == nil {
			s.members[i].impatient = s.after(leaderPatience, func() { s.endLeaderless(i) })
		} else if s.hasLeader(i) && s.members[i].impatient != nil {
			s.members[i].impatient.stop()
			s.members[i].impatient = nil
		}
	}
	s.broadcast()
}

// lead makes a member the leader. A new leader gives every lease its full TTL
// again.
func (s *Server) lead(i int) {
	s.leader = i
	s.term++
	for _, l := range s.leases {
		s.renew(l)
	}
}

// endLeaderless ends the streams of a member that want a leader.
func (s *Server) endLeaderless(i int) {
	s.members[i].impatient = nil
	for ws := range s.streams {
		if ws.member == i && ws.wantsLeader {
			ws.end(errNoLeader)
		}
	}
}

package etcdtest

import (
	"math/rand/v2"
	"net"
	"net/http"
)

// member is one member of the cluster. The server's mutex guards it.
type member struct {
	index    int
	id       uint64
	name     string
	host     string
	listener *listener      // of Dial
	tcp      []net.Listener // of Listen
	cutOff   bool           // from the others: it sees nothing new
	view     int64          // the newest revision it sees while cut off
	down     bool           // killed
	paused   chan struct{}  // closed on resume; nil while it runs
}

func newID() uint64 { return rand.Uint64() | 1<<63 }

func (s *Server) newMember(i int) *member {
	m := &member{index: i, id: newID(), host: memberHost(i), name: memberHost(i)[:len("member1")], listener: newListener()}
	s.serveListener(m, m.listener)
	return m
}

func (m *member) close() {
	m.listener.Close()
	for _, l := range m.tcp {
		l.Close()
	}
}

// viewRev is the newest revision that a member knows.
func (s *Server) viewRev(i int) int64 {
	if m := s.members[i]; m.cutOff {
		return min(m.view, s.store.rev)
	}
	return s.store.rev
}

// hasQuorum says whether some members can commit.
func (s *Server) hasQuorum() bool {
	n := 0
	for _, m := range s.members {
		if m.live() {
			n++
		}
	}
	return n > len(s.members)/2
}

// live says whether a member takes part in the cluster.
func (m *member) live() bool { return !m.down && !m.cutOff && m.paused == nil }

// memberOf finds the member that a request is for.
func (s *Server) memberOf(r *http.Request) int {
	if c, ok := r.Context().Value(connKey{}).(*serverConn); ok {
		return c.member
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.members {
		if m.host == r.Host {
			return i
		}
	}
	return 0
}

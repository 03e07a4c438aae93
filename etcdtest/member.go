package etcdtest

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
)

// member is one member of the cluster. The server's mutex guards it.
type member struct {
	index     int
	id        uint64
	name      string
	host      string
	peerURLs  []string
	learner   bool
	removed   bool
	listener  *listener      // of Dial
	tcp       []net.Listener // of Listen
	starts    int            // how often it was started again
	down      bool           // killed
	cutOff    bool           // from the others: it sees nothing new
	view      int64          // the newest revision it sees while cut off
	paused    chan struct{}  // closed on resume; nil while it runs
	tokens    map[string]*token
	impatient *timer // ends streams that want a leader
}

func newID() uint64 { return rand.Uint64() | 1<<63 }

func (s *Server) newMember(i int) *member {
	name := fmt.Sprintf("member%d", i+1)
	m := &member{
		index: i, id: newID(), name: name, host: name + ".etcdtest:2379",
		peerURLs: []string{"http://" + name + ".etcdtest:2380"},
		listener: newListener(), tokens: make(map[string]*token),
	}
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

// connOf returns the connection that a request came over, nil where the
// request came straight to ServeHTTP.
func connOf(r *http.Request) *serverConn {
	switch c := r.Context().Value(connKey{}).(type) {
	case *serverConn:
		return c
	case *tls.Conn:
		sc, _ := c.NetConn().(*serverConn)
		return sc
	}
	return nil
}

// memberOf finds the member that a request is for.
func (s *Server) memberOf(r *http.Request) int {
	if c := connOf(r); c != nil {
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

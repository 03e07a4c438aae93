package etcdtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Server is an etcd cluster in memory, seen through its gateway. It serves
// HTTP, directly (ServeHTTP), over connections inside the process (Dial) and
// over TCP (Listen). All its methods are safe for concurrent use.
type Server struct {
	opts   options
	minor  int // of the version: 7 of 3.7.3
	patch  int
	born   time.Time
	ctx    context.Context // ends when the server closes
	cancel context.CancelFunc
	routes map[string]*route
	trust  *x509.CertPool // for the server's own certificate
	wg     sync.WaitGroup // timers, HTTP servers and what they started

	mu           sync.Mutex // guards all below; never held across I/O
	closed       bool
	clusterID    uint64
	term         uint64
	members      []*member
	store        *store
	leases       map[int64]*lease
	granted      map[int64]int64 // the TTL of every lease there ever was
	hub          *hub
	streams      map[*watchStream]struct{}
	stallWatches bool
	timers       map[*timer]struct{}
	requests     map[string]int
	faults       []*Injected
	auth         *authStore
	alarms       map[alarm]bool
	leader       int  // the leading member, -1 for none
	quorate      bool // whether there was a quorum when the cluster last settled
	leaderless   bool // by LoseQuorum
	applied      uint64
	changed      chan struct{} // closed when the cluster changes; nil while nobody waits
	conns        map[*serverConn]struct{}
}

// New makes a cluster. Whoever calls it calls Close.
func New(opts ...Option) *Server {
	o := defaults()
	for _, f := range opts {
		f(&o)
	}
	s := &Server{
		opts:      o,
		born:      time.Now(),
		clusterID: newID(),
		term:      2,
		store:     newStore(),
		leases:    make(map[int64]*lease),
		granted:   make(map[int64]int64),
		hub:       newHub(),
		streams:   make(map[*watchStream]struct{}),
		timers:    make(map[*timer]struct{}),
		requests:  make(map[string]int),
		conns:     make(map[*serverConn]struct{}),
		auth:      newAuthStore(),
		alarms:    make(map[alarm]bool),
		quorate:   true,
		applied:   uint64(4 + o.members),
	}
	if o.selfSigned {
		cert, pool, err := selfSigned()
		if err == nil {
			s.trust = pool
			s.opts.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		} else {
			// Without a certificate every handshake fails and says so.
			s.opts.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	s.minor, s.patch = parseVersion(o.version)
	if o.auth {
		s.auth.bootstrap(o.rootPassword)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.routes = s.allRoutes()
	for i := range o.members {
		s.members = append(s.members, s.newMember(i))
	}
	return s
}

// Start makes a cluster that is closed when the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	s := New(opts...)
	t.Cleanup(s.Close)
	return s
}

// Close ends every connection and waits until all that the server started is
// gone. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.cancel()
		for tm := range s.timers {
			tm.stop()
		}
		for ws := range s.streams {
			ws.end(nil)
		}
		s.cut(func(*serverConn) bool { return true })
		s.broadcast()
		for _, m := range s.members {
			m.close()
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// URL returns an endpoint for a client that dials with Dial.
func (s *Server) URL() string { return s.URLs()[0] }

// URLs returns an endpoint for every member.
func (s *Server) URLs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := make([]string, len(s.members))
	for i, m := range s.members {
		urls[i] = s.scheme() + m.host
	}
	return urls
}

// ServeHTTP answers one request on behalf of the member that the request's
// connection or, failing that, its Host names; otherwise of the first.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(w, r) }

// commit ends a write and tells the watchers. The caller holds the mutex.
func (s *Server) commit(w *write) {
	if w.commit(); len(w.events) > 0 {
		s.notify(w.events)
	}
}

func (s *Server) headerAt(member int, rev int64) headerReply {
	return headerReply{ClusterID: s.clusterID, MemberID: s.members[member].id, Revision: rev, RaftTerm: s.term}
}

func (s *Server) scheme() string {
	if s.opts.tls != nil {
		return "https://"
	}
	return "http://"
}

package etcdtest

import (
	"fmt"
	"net/http"
)

// serveVersion answers /version.
func (s *Server) serveVersion(w http.ResponseWriter) {
	cluster := fmt.Sprintf("3.%d.0", s.minor)
	rep := struct {
		Server  string `json:"etcdserver"`
		Cluster string `json:"etcdcluster"`
		Storage string `json:"storage,omitempty"`
	}{s.opts.version, cluster, cluster}
	if s.minor <= 5 {
		rep.Storage = ""
	}
	s.writeReply(w, rep)
}

// serveHealth answers /health: whether this member has a leader.
func (s *Server) serveHealth(w http.ResponseWriter, c *call) {
	s.mu.Lock()
	ok := s.hasLeader(c.member)
	s.mu.Unlock()
	status, body := http.StatusOK, []byte(`{"health":"true","reason":""}`)
	if !ok {
		status, body = http.StatusServiceUnavailable, []byte(`{"health":"false","reason":"RAFT NO LEADER"}`)
	}
	s.writeJSON(w, status, body, len(body))
}

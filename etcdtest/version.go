package etcdtest

import (
	"encoding/json"
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
	b, err := json.Marshal(rep)
	if err != nil {
		return // a plain struct always encodes
	}
	s.writeJSON(w, http.StatusOK, b, len(b))
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
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

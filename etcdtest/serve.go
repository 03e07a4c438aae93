package etcdtest

import (
	"net/http"
	"strings"
)

// serve answers one request of any kind.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.writeError(w, errStopped)
		return
	}
	s.wg.Add(1)
	s.requests[r.URL.Path]++
	s.mu.Unlock()
	defer s.wg.Done()

	c, end := s.begin(w, r)
	defer end()
	switch {
	case c.path == "/version":
		s.serveVersion(w)
	case c.path == "/health":
		s.serveHealth(w, c)
	case strings.Contains(c.path, "//"):
		for strings.Contains(c.path, "//") {
			c.path = strings.ReplaceAll(c.path, "//", "/")
		}
		w.Header().Set("Location", c.path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case strings.HasPrefix(c.path, "/v3/"):
		s.serveV3(c)
	case strings.HasPrefix(c.path, "/v3beta/"):
		c.path = "/v3/" + strings.TrimPrefix(c.path, "/v3beta/")
		s.serveV3(c)
	default:
		http.NotFound(w, r)
	}
}

// serveV3 finds what a path under /v3/ does.
func (s *Server) serveV3(c *call) {
	streams := map[string]func(*call){
		"/v3/watch":                s.serveWatch,
		"/v3/lease/keepalive":      s.serveKeepAlive,
		"/v3/maintenance/snapshot": s.serveSnapshot,
	}
	rt, stream := s.routes[c.path], streams[c.path]
	switch {
	case rt == nil && stream == nil:
		s.writeNoRoute(c.w, http.StatusNotFound)
	case c.path == "/v3/watch" && isUpgrade(c.r):
		s.serveWebSocket(c)
	case isUpgrade(c.r):
		s.serveSocketCall(c, rt)
	case c.r.Method != http.MethodPost:
		s.writeNoRoute(c.w, http.StatusMethodNotAllowed)
	case stream != nil:
		stream(c)
	default:
		s.serveUnary(c, rt)
	}
}

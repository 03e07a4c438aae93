package etcdtest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// call is one request under way.
type call struct {
	s      *Server
	member int
	path   string
	r      *http.Request
	body   map[string]any // of a unary request
	user   *login
}

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

	c := &call{s: s, member: s.memberOf(r), path: r.URL.Path, r: r}
	switch {
	case c.path == "/version":
		s.serveVersion(w)
		return
	case c.path == "/health":
		s.serveHealth(w, c)
		return
	case strings.HasPrefix(c.path, "/v3beta/"):
		c.path = "/v3/" + strings.TrimPrefix(c.path, "/v3beta/")
	case strings.Contains(c.path, "//"):
		for strings.Contains(c.path, "//") {
			c.path = strings.ReplaceAll(c.path, "//", "/")
		}
		http.Redirect(w, r, c.path, http.StatusTemporaryRedirect)
		return
	case !strings.HasPrefix(c.path, "/v3/"):
		http.NotFound(w, r)
		return
	}
	switch rt := s.routes[c.path]; {
	case c.path == "/v3/watch" && isUpgrade(r):
		s.serveWebSocket(w, c)
	case c.path != "/v3/watch" && c.path != "/v3/lease/keepalive" && rt == nil:
		s.writeNoRoute(w, http.StatusNotFound)
	case r.Method != http.MethodPost:
		s.writeNoRoute(w, http.StatusMethodNotAllowed)
	case c.path == "/v3/watch":
		s.serveWatch(w, c)
	case c.path == "/v3/lease/keepalive":
		s.serveKeepAlive(w, c)
	default:
		s.serveUnary(w, c, rt)
	}
}

// serveUnary answers one request with one reply.
func (s *Server) serveUnary(w http.ResponseWriter, c *call, rt *route) {
	body, rerr := io.ReadAll(c.r.Body)
	if rerr != nil {
		s.writeError(w, &Error{Code: InvalidArgument, Message: rerr.Error()})
		return
	}
	rep, err := s.answer(c, rt, body)
	if err != nil {
		s.writeError(w, err)
		return
	}
	s.writeReply(w, rep)
}

// answer decodes and carries out one unary request.
func (s *Server) answer(c *call, rt *route, body []byte) (any, *Error) {
	o, perr := newParser(bytes.NewReader(body)).next()
	if perr != nil && !errors.Is(perr, io.EOF) {
		return nil, &Error{Code: InvalidArgument, Message: perr.Error()}
	}
	c.body = o
	d := &decoder{old: s.minor <= 5}
	req, err := rt.decode(d, o)
	if d.err != nil {
		return nil, d.err
	}
	if e := s.checkSize(d.size, rt.kind); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return rt.apply(c, req)
}

// checkSize refuses what is too large: for the transport, or for a proposal.
func (s *Server) checkSize(n int, k kind) *Error {
	const overhead = 512 << 10
	if limit := s.opts.maxRequestBytes + overhead; n > limit {
		return tooLargeForTransport(n, limit)
	}
	if k == writes && n > s.opts.maxRequestBytes {
		return errTooLarge
	}
	return nil
}

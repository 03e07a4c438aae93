package etcdtest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// serveWatch serves a watch stream over a POST. Over HTTP/1.1 nothing happens
// until the request's body has ended; over HTTP/2 requests are carried out as
// they come.
func (s *Server) serveWatch(w http.ResponseWriter, c *call) {
	in := c.r.Body.(io.Reader)
	if c.r.ProtoMajor < 2 {
		body, err := io.ReadAll(in)
		if err != nil {
			return
		}
		in = bytes.NewReader(body)
	}
	w.Header().Set("Content-Type", "application/json")
	s.mu.Lock()
	ws := s.newWatchStream(c.member, c.user)
	s.mu.Unlock()

	read := make(chan struct{})
	go func() {
		defer close(read)
		ws.receive(in)
	}()
	out := &flusher{w: w}
	ws.write(c.r.Context().Done(), func(b []byte, status int) error { return out.write(status, b) })
	s.mu.Lock()
	ws.end(nil)
	s.mu.Unlock()
	c.r.Body.Close() // ends the reading
	<-read
}

// receive carries out the requests of a body. What cannot be understood ends
// the stream with an error; the end of the body does not end it.
func (ws *watchStream) receive(in io.Reader) {
	for p := newParser(in); ; {
		o, err := p.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			d := &decoder{old: ws.srv.minor <= 5}
			r := d.watchRequest(o)
			if d.err == nil {
				ws.handle(r)
				continue
			}
			err = d.err
		}
		ws.srv.mu.Lock()
		ws.end(&Error{Code: InvalidArgument, Message: err.Error()})
		ws.srv.mu.Unlock()
		return
	}
}

// write sends what the stream has queued until it ends, the client is gone or
// a write fails.
func (ws *watchStream) write(gone <-chan struct{}, send func(b []byte, status int) error) {
	for {
		select {
		case <-ws.wake:
		case <-gone:
			return
		}
		out, ended, err := ws.take()
		for _, m := range out {
			for _, rep := range m.replies(ws.srv.opts.maxRequestBytes) {
				if send(frame(rep), http.StatusOK) != nil {
					return
				}
			}
		}
		if ended {
			if err != nil {
				send(ws.srv.errorFrame(err), err.status())
			}
			return
		}
	}
}

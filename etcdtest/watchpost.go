package etcdtest

import (
	"bytes"
	"io"
	"net/http"
)

// serveWatch serves a watch stream over a POST. Over HTTP/1.1 nothing happens
// until the request's body has ended; over HTTP/2 requests are carried out as
// they come.
func (s *Server) serveWatch(c *call) {
	in := c.r.Body.(io.Reader)
	c.request = &Request{Path: c.path, Member: c.member}
	if c.r.ProtoMajor < 2 {
		body, err := io.ReadAll(in)
		if err != nil {
			return // the client is gone
		}
		in = bytes.NewReader(body)
		c.request.Body, _ = newParser(bytes.NewReader(body)).next()
	}
	s.withStreamFaults(c, func(out *flusher) {
		if err := s.ready(c); err != nil {
			_ = out.write(s.errorFrame(err), err.status()) // the last word either way
			return
		}
		ws, err := s.openWatchStream(c)
		if err != nil {
			c.drop()
			return
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			ws.receive(in)
		}()
		ws.write(c.ctx.Done(), out.write)
		ws.close()
		c.r.Body.Close() // ends the reading
		<-read
	})
}

// receive carries out the requests of a body until it ends or something in it
// can't be understood: the gateway stops listening then, and says nothing.
func (ws *watchStream) receive(in io.Reader) {
	for p := newParser(in); ; {
		o, err := p.next()
		if err != nil || !ws.understand(o) {
			return
		}
	}
}

// understand carries out one request, unless a field of it has a wrong type.
func (ws *watchStream) understand(o map[string]any) bool {
	d := &decoder{old: ws.srv.minor <= 5}
	r := d.watchRequest(o)
	if d.err != nil {
		return false
	}
	ws.handle(r)
	return true
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
				_ = send(ws.srv.errorFrame(err), err.status()) // the last word either way
			}
			return
		}
	}
}

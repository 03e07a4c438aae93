package etcdtest

import (
	"bytes"
	"io"
	"net/http"
)

// serveKeepAlive answers every renewal in the body with a message of its own.
// A lease that is not there is answered without a TTL. What can't be understood
// ends the stream without a word, as the end of the body does; 3.5 says so.
func (s *Server) serveKeepAlive(c *call) {
	c.kind = leases
	body, err := io.ReadAll(c.r.Body)
	if err != nil {
		s.writeError(c.w, &Error{Code: InvalidArgument, Message: err.Error()})
		return
	}
	first, _ := newParser(bytes.NewReader(body)).next()
	c.request = &Request{Path: c.path, Member: c.member, Body: first}
	s.withStreamFaults(c, func(out *flusher) {
		p := newParser(bytes.NewReader(body))
		for {
			o, perr := p.next()
			d := &decoder{old: s.minor <= 5}
			r, _ := decodeLease(d, o)
			if err := firstError(perr, d.err); perr == io.EOF || err != nil && s.minor > 5 {
				return
			} else if err != nil {
				s.writeError(c.w, &Error{Code: Unknown, Message: err.Error()})
				return
			}
			rep, err := s.keepAlive(c, r)
			if err == errStopped && s.gone(c) {
				c.drop()
				return
			}
			if err != nil {
				_ = out.write(s.errorFrame(err), err.status()) // the last word either way
				return
			}
			if out.write(frame(rep), http.StatusOK) != nil {
				return
			}
		}
	})
}

func firstError(err error, e *Error) error {
	if err == nil && e != nil {
		return e
	}
	return err
}

// keepAlive renews one lease. That needs permission to write all of its keys.
func (s *Server) keepAlive(c *call, r leaseRequest) (any, *Error) {
	if err := s.ready(c); err != nil {
		return nil, err
	}
	return s.inOrder(c, func() (any, *Error) {
		if err := s.auth.user(c.user); err != nil {
			return nil, err
		}
		if err := s.mayWriteLease(c.user, r.id); err != nil {
			return nil, err
		}
		rep := grantReply{Header: c.header(), ID: r.id}
		if l := s.leases[r.id]; l != nil {
			s.renew(l)
			rep.TTL = l.ttl
		}
		return rep, nil
	})
}

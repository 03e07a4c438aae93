package etcdtest

import (
	"bytes"
	"context"

	"github.com/coder/websocket"
)

// serveSocketCall serves any other call over a WebSocket. Renewals of leases
// are answered one by one. A unary call is answered by 3.6 alone, once; other
// versions wait for the end of a body that never ends.
func (s *Server) serveSocketCall(c *call, rt *route) {
	c.request = &Request{Path: c.path, Member: c.member}
	c.leader = false
	s.withStreamFaults(c, func(*flusher) {
		conn := s.accept(c, make(turn, 1))
		if conn == nil {
			return
		}
		defer conn.CloseNow()
		// The request's context means nothing any more once it was upgraded.
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		c.ctx = ctx
		for deaf := false; ; {
			_, b, err := conn.Read(ctx)
			if err != nil {
				return
			}
			if deaf {
				continue
			}
			var rep []byte
			if rep, deaf = s.answerFrame(c, rt, b); rep != nil && conn.Write(ctx, websocket.MessageText, rep) != nil {
				return
			}
		}
	})
}

// answerFrame carries out one message. It returns what to answer, nil for
// nothing, and whether nothing more is listened to.
func (s *Server) answerFrame(c *call, rt *route, b []byte) (rep []byte, deaf bool) {
	if rt != nil && s.minor != 6 {
		return nil, true
	}
	o, perr := newParser(bytes.NewReader(b)).next()
	if perr != nil {
		return nil, true
	}
	if rt != nil {
		c.kind = rt.kind
		v, err := s.answer(c, rt, o)
		if err != nil {
			return s.marshal(errorReply{Code: err.Code, Message: err.Message}), true
		}
		return s.marshal(v), true
	}
	d := &decoder{old: s.minor <= 5}
	r, _ := decodeLease(d, o)
	if d.err != nil {
		return nil, true
	}
	c.kind = leases
	v, err := s.keepAlive(c, r)
	if err != nil {
		return bytes.TrimSuffix(s.errorFrame(err), []byte("\n")), true
	}
	return bytes.TrimSuffix(frame(v), []byte("\n")), false
}

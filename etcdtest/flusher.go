package etcdtest

import (
	"errors"
	"net/http"
)

var errCut = errors.New("etcdtest: reply cut by a fault")

// flusher writes the messages of a stream, each at once.
type flusher struct {
	c     *call
	wrote bool
	// cutAt is how many bytes may pass before the connection is cut, 0 for no
	// limit.
	cutAt, sent int
}

// write sends b. status counts for the first message only.
func (f *flusher) write(b []byte, status int) error {
	if !f.wrote {
		f.wrote = true
		f.c.w.Header().Set("Content-Type", "application/json")
		f.c.w.WriteHeader(status)
	}
	cut := false
	if f.cutAt > 0 && f.sent+len(b) >= f.cutAt {
		b, cut = b[:f.cutAt-f.sent], true
	}
	n, err := f.c.w.Write(b)
	f.sent += n
	if err != nil {
		return err
	}
	if cut {
		f.c.hangUp()
		return errCut
	}
	return http.NewResponseController(f.c.w).Flush()
}

// withStreamFaults runs a stream between the faults that hit its request.
func (s *Server) withStreamFaults(c *call, run func(*flusher)) {
	fs := s.faultsFor(c.request)
	ctx, ok := c.before(fs)
	if !ok {
		c.drop()
		return
	}
	switch refuse, reply, _ := instead(fs); {
	case reply != nil:
		reply.write(c.w)
		return
	case refuse != nil && isUpgrade(c.r):
		s.writeError(c.w, refuse)
		return
	case refuse != nil:
		f := &flusher{c: c}
		_ = f.write(s.errorFrame(refuse), refuse.status()) // the last word either way
		return
	}
	c.ctx = ctx
	f := &flusher{c: c}
	if f.cutAt, ok = c.after(fs); !ok {
		f.c = c.deaf()
		run(f)
		c.drop()
		return
	}
	run(f)
}

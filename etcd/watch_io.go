package etcd

import (
	"errors"
	"time"

	"github.com/quorate/quorate/internal/jsonwire"
)

// post leaves a message for the writer.
func (cn *watchConn) post(m outMessage) {
	cn.out = append(cn.out, m)
	cn.nudge()
}

// nudge wakes the writer.
func (cn *watchConn) nudge() {
	select {
	case cn.wake <- struct{}{}:
	default:
	}
}

// checkSoon asks for a check of the connection.
func (cn *watchConn) checkSoon() {
	select {
	case cn.poke <- struct{}{}:
	default:
	}
}

// askWhile is how often progress is asked for while a watch catches up.
const askWhile = 100 * time.Millisecond

// write sends what is posted. While a watch of the connection catches up, it
// asks for progress: the answer comes when all have.
func (cn *watchConn) write(link watchLink) error {
	ask := time.NewTimer(askWhile)
	defer ask.Stop()
	var asked time.Time
	for {
		cn.h.mu.Lock()
		out := cn.out
		cn.out = nil
		catching := len(cn.catching) > 0 && cn.inStep
		if catching && time.Since(asked) >= askWhile {
			asked = time.Now()
			out = append(out, cn.progressRequest())
		}
		cn.h.mu.Unlock()
		for i := range out {
			if err := link.send(cn.ctx, &out[i]); err != nil {
				return err
			}
		}
		if len(out) > 0 {
			continue // more may have come
		}
		if catching {
			ask.Reset(askWhile)
		} else {
			ask.Stop()
		}
		select {
		case <-cn.wake:
		case <-ask.C:
		case <-cn.ctx.Done():
			return nil
		}
	}
}

func (cn *watchConn) progressRequest() outMessage {
	cn.asked++
	return outMessage{body: appendWatchProgress(nil)}
}

// read takes in what the server sends.
func (cn *watchConn) read(link watchLink) error {
	var (
		rd jsonwire.Reader
		f  watchFrame
	)
	for {
		m, err := link.recv()
		var lost *lostStream
		switch {
		case errors.As(err, &lost):
			cn.h.c.log.Debug("etcd watch stream ended", "endpoint", cn.ep.url, "reason", cn.h.c.redactErr(lost.err, cn.token))
			cn.h.mu.Lock()
			cn.onLost(lost)
			cn.h.mu.Unlock()
			continue
		case err != nil:
			return cn.h.c.redactErr(err, cn.token)
		}
		if err := cn.h.parse(&rd, m.doc, &f); err != nil {
			return cn.frameError(err)
		}
		switch {
		case m.id == 0 || f.id == m.id:
		case f.id == allWatches:
			f.id = m.id
		default:
			return cn.frameError(errShape("a message about another watch than its stream's"))
		}
		cn.h.mu.Lock()
		err = cn.dispatch(&f)
		cn.h.mu.Unlock()
		if err != nil {
			return cn.frameError(err)
		}
	}
}

// largeFrame is from how many bytes on reading a message takes so long that
// others feel it.
const largeFrame = 128 << 10

// parse reads a message. Of the large ones, which watches bring that catch up,
// it reads one at a time: several would take every processor there is, and what
// happens now would have to wait for what happened long ago.
func (h *watchHub) parse(rd *jsonwire.Reader, doc []byte, f *watchFrame) error {
	if len(doc) >= largeFrame {
		h.large.Lock()
		defer h.large.Unlock()
	}
	return parseWatchFrame(rd, doc, len(h.c.ns), f)
}

// frameError is the end of a stream: the server's own words, or that it sent
// what it should not.
func (cn *watchConn) frameError(err error) error {
	e := &Error{Op: "watch", Endpoint: cn.ep.url}
	var said *streamError
	if errors.As(err, &said) {
		e.Code, e.Message, e.Kind = said.code, cn.h.c.redact(said.message, cn.token), errorKind(said.code, said.message)
		if e.Kind == nil || errors.Is(e.Kind, ErrUnauthenticated) {
			e.Kind = ErrUnavailable // of the connection; a new one tells more
		}
		return e
	}
	e.Kind, e.Err = ErrBadReply, err
	return e
}

// dispatch hands a message to whom it is for.
func (cn *watchConn) dispatch(f *watchFrame) error {
	cn.heard = true
	if cn.member == 0 {
		cn.member = f.header.MemberID
	}
	if err := cn.sameCluster(f.header); err != nil {
		return err
	}
	cn.rev = max(cn.rev, f.header.Revision)
	switch {
	case f.created:
		return cn.onCreated(f)
	case f.id == allWatches:
		if !f.canceled {
			cn.onProgress(f.header.Revision)
		}
		return nil
	}
	a := cn.atts[f.id]
	switch {
	case a == nil || a.created == 0:
		return nil // what was under way when it was cancelled
	case f.canceled:
		cn.onCanceled(a, f)
		return nil
	case len(f.events) == 0:
		cn.onQuiet(a, f.header.Revision)
		return nil
	}
	return a.w.accept(a, f.events, f.fragment)
}

// sameCluster takes in a header of the stream.
func (cn *watchConn) sameCluster(hd Header) error {
	h := cn.h
	if hd.ClusterID != 0 && h.cluster != 0 && hd.ClusterID != h.cluster {
		return h.verify(Header{ClusterID: hd.ClusterID, Revision: max(hd.Revision, 1)}, 0, cn.ep.url)
	}
	h.note(hd)
	return nil
}

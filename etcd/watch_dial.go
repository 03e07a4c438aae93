package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/internal/jsonwire"
)

// dial opens the connection. It goes on, over all endpoints and with growing
// pauses, until it succeeds, nobody needs the connection any more, or the
// credentials are refused. Watches that are only to be created are told as
// soon as trying again makes no sense.
func (cn *watchConn) dial() (watchLink, error) {
	h, c := cn.h, cn.h.c
	if err := cn.pause(); err != nil {
		return nil, err
	}
	var (
		wait    = newBackoff()
		asked   uint64
		hope    bool
		renewed int
	)
	for {
		ep := c.eps.pick(asked)
		link, f := cn.try(ep)
		if f == nil {
			return link, nil
		}
		if cn.ctx.Err() != nil {
			return nil, context.Cause(cn.ctx)
		}
		if f.verdict == verdictToken {
			if renewed++; renewed <= 2 {
				continue
			}
			f.verdict = verdictFinal
		} else {
			renewed = 0 // only refusals in a row say that no token is good
		}
		final := f.verdict == verdictFinal
		if final && errors.Is(f.err, ErrUnauthenticated) {
			return nil, f.err
		}
		cn.setback(f.err, final)
		hope = hope || !final && f.verdict != verdictElsewhere
		asked |= 1 << (c.eps.index(ep) % 64)
		if !c.eps.allAsked(asked) {
			continue
		}
		if !hope || c.cfg.RetryTimeout < 0 {
			cn.setback(f.err, true)
		}
		asked, hope = 0, false
		if err := cn.sleep(wait.NextBackOff()); err != nil {
			return nil, err
		}
		h.c.log.Debug("etcd watch connection is tried again", "endpoint", ep.url, "error", f.err)
	}
}

// pause keeps connections that are lost again and again from being made in a
// tight loop, and many clients from coming back at the same moment.
func (cn *watchConn) pause() error {
	cn.h.mu.Lock()
	flaps := cn.h.flaps
	cn.h.mu.Unlock()
	if flaps == 0 {
		return nil
	}
	most := 25 * time.Millisecond << min(flaps, 6)
	return cn.sleep(most/2 + rand.N(most/2+1))
}

func (cn *watchConn) sleep(d time.Duration) error {
	if err := sleep(cn.ctx, cn.ctx, d); err != nil {
		return context.Cause(cn.ctx)
	}
	return nil
}

// setback notes why the connection is not open yet. If that is not going to
// change, watches that are to be created fail; those that were are patient.
func (cn *watchConn) setback(err error, giveUp bool) {
	h := cn.h
	h.mu.Lock()
	defer h.mu.Unlock()
	cn.openErr = err
	for _, a := range cn.atts {
		if giveUp && a.w.created == 0 {
			h.end(a.w, a.w.refusedBy(err))
		}
	}
}

// try opens the connection to one member, having made sure that it has a
// leader and belongs to the cluster that the watches are of.
func (cn *watchConn) try(ep *endpoint) (watchLink, *failure) {
	h, c := cn.h, cn.h.c
	h.mu.Lock()
	seen := h.seen
	h.mu.Unlock()
	hd, f := cn.leaderRead(ep)
	if f != nil {
		return nil, f
	}
	h.mu.Lock()
	// An error here has ended the watches of the old cluster; those that are
	// left are to be created in the new one.
	if err := h.verify(hd, seen, ep.url); err != nil {
		cn.openErr = err
	}
	h.mu.Unlock()
	token, err := c.tokens.get(cn.ctx, ep, c.cfg.AttemptTimeout)
	if err != nil {
		return nil, tokenFailure(err)
	}
	ctx, cancel := context.WithTimeout(cn.ctx, c.cfg.AttemptTimeout)
	defer cancel()
	link, err := cn.connect(ctx, ep, token)
	if err != nil {
		err = c.redactErr(err, token)
		if cn.ctx.Err() == nil { // else nobody waits for it any more, which says nothing of the member
			c.eps.failed(ep)
		}
		return nil, &failure{verdict: verdictRefused, err: &Error{Op: "watch", Endpoint: ep.url, Kind: ErrUnavailable, Err: err}}
	}
	inStep := link.duplex() && progressInStep(ep.version(ctx))
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	cn.ep, cn.token, cn.opened = ep, token, now
	cn.inStep = inStep
	cn.rev = hd.Revision
	cn.retire = ep.watch.reprobe(link.transport(), ep.secure)
	cn.stale = renewBefore(token, now)
	if !cn.stale.IsZero() && (cn.retire.IsZero() || cn.stale.Before(cn.retire)) {
		cn.retire = cn.stale
	}
	return link, nil
}

// connect opens a link by the best transport that works to this endpoint.
func (cn *watchConn) connect(ctx context.Context, ep *endpoint, token string) (watchLink, error) {
	c := cn.h.c
	header, err := c.header(token, false)
	if err != nil {
		return nil, err
	}
	best := ep.watch.best(ep.secure)
	if best == viaPost {
		return newPostLink(c, ep, header), nil
	}
	alpn := []string{"http/1.1"}
	if best == viaHTTP2 {
		alpn = []string{"h2", "http/1.1"}
	}
	nc, err := ep.pool.Dial(ctx, alpn...)
	if err != nil {
		return nil, err
	}
	if tc, ok := nc.(*tls.Conn); ok && tc.ConnectionState().NegotiatedProtocol == "h2" {
		return newHTTP2Link(c, ep, nc, token), nil
	}
	begun := time.Now()
	link, err := newWebSocketLink(ctx, c, ep, nc, token)
	err = c.redactErr(err, token)
	var no *upgradeRefused
	switch {
	case err == nil:
		return link, nil
	case errors.As(err, &no):
		ep.watch.refused(viaWebSocket)
	case cn.ctx.Err() != nil || !ep.watch.failed(viaWebSocket, begun):
		return nil, err
	}
	// A proxy in between speaks plain HTTP only.
	c.log.Info("etcd watches go over one request each: no WebSocket can be opened", "endpoint", ep.url, "reason", err)
	return newPostLink(c, ep, header), nil
}

// leaderRead asks a member something that it can only answer with a leader,
// and gives the header of the answer. It is empty where the user may not read.
func (cn *watchConn) leaderRead(ep *endpoint) (Header, *failure) {
	c := cn.h.c
	f := object(nil)
	f.key("key", "", cn.key())
	f.flag("count_only", true)
	r := &request{op: "watch check", path: "/v3/kv/range", body: f.end(), mode: modeRead, only: ep, timeout: min(checkTimeout, c.cfg.AttemptTimeout)}
	var hd Header
	fail := c.attempt(cn.ctx, ep, r, 1, func(rd *jsonwire.Reader) error {
		var res GetResult
		decoder{rd, len(c.ns)}.get(&res)
		hd = res.Header
		return nil
	})
	if fail != nil && errors.Is(fail.err, ErrPermissionDenied) {
		return Header{}, nil
	}
	return hd, fail
}

// key is one that a user who may watch what is watched may read.
func (cn *watchConn) key() string {
	cn.h.mu.Lock()
	defer cn.h.mu.Unlock()
	for _, a := range cn.atts {
		cn.readKey, _ = a.w.set.wire(cn.h.c.ns)
		break
	}
	if cn.readKey == "" {
		return "\x00"
	}
	return cn.readKey
}

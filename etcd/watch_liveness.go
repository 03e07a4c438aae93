package etcd

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/jsonwire"
)

// A watch connection is silent when nothing happens, and it is silent when it
// is dead. A member that is cut off from the others answers pings and signs of
// progress as if all were well. So every checkPeriod the connection itself is
// pinged, and the member is asked for a linearizable read; both must answer
// within checkTimeout, the connection unless a message is just on its way. This is all the traffic of a client that only watches;
// without a watch there is none.
const (
	checkPeriod  = 2 * time.Second
	checkTimeout = 3 * time.Second
	// linger is how long the shared connection is kept without a watch.
	linger = 30 * time.Second
	// tokenRenewal is after how long a connection is replaced where the token
	// does not say how long it is good: that is so long after it was used last.
	tokenRenewal = 4 * time.Minute
	// shortToken is how long a token must be good to be replaced before it ends.
	shortToken = 10 * time.Second
	// mayLag is at how many checks in a row the stream may show a revision
	// older than one that the check before had seen.
	mayLag = 2
)

// lagging compares the stream with reads.
type lagging struct {
	rev     int64 // of the last read
	answers int   // signs of progress until then
	strikes int
}

// mind checks the connection now and then, until it ends.
func (cn *watchConn) mind(link watchLink) error {
	timer := time.NewTimer(checkPeriod)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-cn.poke:
			if err := cn.sleep(100 * time.Millisecond); err != nil {
				return err
			}
		case <-cn.ctx.Done():
			return nil
		}
		needed, over := cn.needed()
		if over {
			return errIdle
		}
		if needed {
			if err := cn.inspect(link); err != nil {
				return err
			}
		}
		timer.Reset(checkPeriod)
	}
}

// needed reports whether there are watches, and if not, whether the connection
// has waited long enough for one.
func (cn *watchConn) needed() (needed, over bool) {
	cn.h.mu.Lock()
	defer cn.h.mu.Unlock()
	if len(cn.atts) > 0 {
		cn.checked = time.Now()
		return true, false
	}
	if time.Since(cn.idleSince) < linger {
		return false, false
	}
	cn.h.forget(cn) // no watch comes to it any more
	return false, true
}

// inspect checks the connection and the member once.
func (cn *watchConn) inspect(link watchLink) error {
	h := cn.h
	h.mu.Lock()
	seen := h.seen
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(cn.ctx, checkTimeout)
	defer cancel()
	ping := make(chan error, 1)
	go func() { ping <- link.check(ctx) }()
	hd, f := cn.leaderRead(cn.ep)
	pinged := <-ping
	flows := link.flow().since(&cn.flowed)

	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case cn.ctx.Err() != nil:
		return nil
	case f != nil && f.verdict == verdictToken:
		h.retire(cn) // a connection with a new token takes its place
		return nil
	case f != nil:
		return f.err
	case pinged != nil && !flows:
		h.c.eps.failed(cn.ep) // it has stopped between one answer and the other
		return &Error{Op: "watch", Endpoint: cn.ep.url, Kind: ErrUnavailable, Message: "the connection does not answer", Err: h.c.redactErr(pinged, cn.token)}
	}
	if err := h.verify(hd, seen, cn.ep.url); err != nil {
		return err
	}
	var err error
	if !flows {
		err = cn.unanswered(link)
	}
	if err == nil {
		err = cn.lags(hd.Revision)
	}
	if err != nil {
		h.c.eps.failed(cn.ep) // reads work there, watches do not
		return err
	}
	cn.rev = max(cn.rev, hd.Revision)
	switch {
	case !cn.inStep:
		cn.presumeSynced()
	case len(cn.atts) > 0 && hd.Revision > cn.progress:
		cn.post(cn.progressRequest())
	}
	if now := time.Now(); !cn.retire.IsZero() && now.After(cn.retire) {
		if _, ok := jwtEnd(cn.token); ok && now.After(cn.stale) {
			h.c.tokens.drop(cn.token) // the next connection is to have another one
		}
		h.retire(cn)
	}
	cn.again()
	return nil
}

// unanswered judges the connection by requests that were not answered though
// the member is well: a server that has lost its way in what it reads, or a
// proxy that waits for the end of a request, says nothing of it.
func (cn *watchConn) unanswered(link watchLink) error {
	if len(cn.pending) == 0 {
		if cn.heard {
			cn.ep.watch.worked(link.transport())
		}
		return nil
	}
	waited := time.Since(cn.pending[0].sent)
	limit := cn.h.c.cfg.AttemptTimeout
	if !cn.heard {
		limit = min(limit, checkPeriod)
	}
	if waited < limit {
		return nil
	}
	if !cn.heard {
		if cn.silent++; cn.silent < 2 {
			cn.checkSoon() // it may just have begun to speak
			return nil
		}
		cn.ep.watch.refused(link.transport())
	}
	return &Error{Op: "watch", Endpoint: cn.ep.url, Kind: ErrUnavailable, Message: "no answer to a watch for " + waited.String() + " over " + link.transport().String()}
}

// lags judges a stream by the revisions it shows: behind an address may be
// another member than the one that answers reads.
func (cn *watchConn) lags(rev int64) error {
	l := &cn.lag
	if cn.answers > l.answers {
		if cn.progress < l.rev {
			l.strikes++
		} else {
			l.strikes = 0
		}
	}
	if l.strikes >= mayLag {
		return &Error{Op: "watch", Endpoint: cn.ep.url, Kind: ErrUnavailable, Message: "the member is at revision " + itoa(cn.progress) + " while another has been at " + itoa(l.rev) + " for long"}
	}
	l.rev, l.answers = rev, cn.answers
	return nil
}

// renewBefore says when a connection made with token is to be replaced. Zero
// is never. A JWT tells its end; of others nobody knows. One that is to end
// soon, or has ended, although it was accepted a moment ago, is left until it is
// refused: it ends by another clock, and the next one may look just like it.
func renewBefore(token string, now time.Time) time.Time {
	if token == "" {
		return time.Time{}
	}
	if end, ok := jwtEnd(token); ok && end.Sub(now) >= shortToken {
		return now.Add(end.Sub(now) / 5 * 4)
	}
	return now.Add(tokenRenewal)
}

// jwtEnd reads when a JSON Web Token ends.
func jwtEnd(token string) (end time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var exp int64
	rd := jsonwire.NewReader(claims)
	for name := range rd.Object {
		if string(name) == "exp" {
			exp = rd.Int64()
		}
	}
	if rd.End() != nil || exp <= 0 || exp > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(exp, 0), true
}

package etcd

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// A request is one unary call of the gateway.
type request struct {
	op   string // for errors and hooks: "put", "lease grant", ...
	on   string // for errors: the key, lease or user it is about
	path string
	body []byte
	mode callMode
	// timeout bounds one attempt; 0 means Config.AttemptTimeout, negative none.
	timeout time.Duration
	// anyMember lets a member answer that has no leader.
	anyMember bool
	// noAuth sends no token.
	noAuth bool
	// only sends it to this endpoint and to no other.
	only *endpoint

	began time.Time // when the last attempt began
}

// callMode says what may be done after an attempt whose outcome is unknown.
type callMode uint8

const (
	// modeRead changes nothing, so it is tried again whatever happened.
	modeRead callMode = iota
	// modeWrite is tried again only when it provably was not applied.
	modeWrite
	// modeRepeatable is a write that may be applied twice without harm.
	modeRepeatable
)

// do sends r and decodes the reply. It tries other members, and again, as r's
// mode allows.
//
// Outcomes: nil means applied. An error that answers ErrUnknownOutcome means
// that some attempt may have been applied. Any other error means nothing was
// applied by any attempt: a definite refusal after an attempt of unknown
// outcome stays unknown, because the refusal speaks only for itself.
func (c *Client) do(ctx context.Context, r *request, decode func(*jsonwire.Reader) error) error {
	var (
		wait    *backoff.ExponentialBackOff
		unknown bool   // some attempt's outcome is
		asked   uint64 // endpoints of this round, by bit
		renewed int    // how often the token was renewed because of a refusal
		hope    bool   // whether some failure of this round may pass by itself
		until   = time.Now().Add(c.cfg.RetryTimeout)
	)
	for attempt := 1; ; attempt++ {
		ep := r.only
		if ep == nil {
			ep = c.eps.pick(asked)
		}
		f := c.attempt(ctx, ep, r, attempt, decode)
		if f == nil {
			return nil
		}
		if f.verdict == verdictUnknown && r.mode != modeRead {
			unknown = true
		}
		f.err.Unknown = unknown
		if err := ctx.Err(); err != nil || f.verdict == verdictFinal {
			if err != nil && !errors.Is(f.err, err) {
				f.err.Err = errors.Join(ctxErr(ctx), f.err.Err)
			}
			return f.err
		}
		if unknown && r.mode == modeWrite {
			return f.err
		}
		if f.verdict == verdictToken {
			if renewed++; renewed > 2 {
				return f.err
			}
			continue // the token was dropped: the next attempt fetches a new one
		}

		// Somebody else may know better: ask each other endpoint at once, then
		// wait before the next round.
		hope = hope || f.verdict != verdictElsewhere && !(f.verdict == verdictUnknown && f.err.Kind == ErrBadReply)
		asked |= 1 << (c.eps.index(ep) % 64)
		if r.only == nil && !c.eps.allAsked(asked) {
			continue
		}
		if !hope {
			return f.err
		}
		asked, hope = 0, false
		if c.cfg.RetryTimeout < 0 || !time.Now().Before(until) {
			return f.err
		}
		if wait == nil {
			wait = newBackoff()
		}
		pause := wait.NextBackOff()
		c.log.Debug("etcd call waits to be tried again", "op", r.op, "endpoint", ep.url, "attempt", attempt, "pause", pause, "error", f.err)
		if err := sleep(ctx, c.life, pause); err != nil {
			f.err.Err = errors.Join(err, f.err.Err)
			return f.err
		}
	}
}

func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(25*time.Millisecond),
		backoff.WithMaxInterval(time.Second),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(0.5),
		backoff.WithMaxElapsedTime(0),
	)
}

// sleep waits for d, or for the end of ctx or of the client.
func sleep(ctx, life context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctxErr(ctx)
	case <-life.Done():
		return ErrClosed
	}
}

// A failure is an attempt that did not succeed.
type failure struct {
	err     *Error
	verdict verdict
}

// verdict is what a failed attempt means for the next one.
type verdict uint8

const (
	verdictFinal     verdict = iota // refused: not applied, and would be refused again
	verdictRefused                  // not applied, but another member or moment may take it
	verdictUnknown                  // it may have been applied
	verdictToken                    // not applied: the token is no longer good
	verdictElsewhere                // not applied, and waiting will not help: only another member may
)

// attempt sends r once to ep.
func (c *Client) attempt(ctx context.Context, ep *endpoint, r *request, n int, decode func(*jsonwire.Reader) error) *failure {
	begin := time.Now()
	r.began = begin
	reply, f := c.roundTrip(ctx, ep, r)
	if f == nil {
		if reply.Status == 200 {
			rd := jsonwire.NewReader(reply.Body)
			err := decode(rd)
			if e := rd.End(); e != nil {
				err = e
			}
			var refused *streamError
			if errors.As(err, &refused) {
				f = classifyError(refused.serverError, r)
			} else if err != nil {
				f = &failure{verdict: verdictUnknown, err: &Error{Kind: ErrBadReply, Err: err}}
			}
		} else {
			f = classifyReply(reply, r)
			c.identify(ctx, ep, f)
		}
	}
	if h := c.cfg.Hooks.Request; h != nil {
		info := RequestInfo{Op: r.op, Endpoint: ep.url, Attempt: n, Duration: time.Since(begin), Sent: len(r.body), Received: len(reply.Body)}
		if f != nil {
			info.Err = f.err
		}
		h(info)
	}
	reply.Release() // nothing decoded points into it
	if f == nil {
		c.eps.worked(ep)
		return nil
	}
	f.err.Op, f.err.On, f.err.Endpoint = r.op, r.on, ep.url
	if f.verdict != verdictFinal && f.verdict != verdictToken {
		if ctx.Err() == nil { // a caller in a hurry says nothing of the endpoint
			c.eps.failed(ep)
		}
	}
	return f
}

// roundTrip sends r once to ep and gives the reply, whatever its status.
func (c *Client) roundTrip(ctx context.Context, ep *endpoint, r *request) (h1.Reply, *failure) {
	if err := ctx.Err(); err != nil {
		return h1.Reply{}, &failure{verdict: verdictRefused, err: &Error{Err: ctxErr(ctx)}}
	}
	if c.life.Err() != nil {
		return h1.Reply{}, &failure{verdict: verdictFinal, err: &Error{Kind: ErrClosed}}
	}
	timeout := max(r.timeout, 0)
	if r.timeout == 0 {
		timeout = c.cfg.AttemptTimeout
	}
	var token string
	if !r.noAuth {
		var err error
		if token, err = c.tokens.get(ctx, ep, timeout); err != nil {
			return h1.Reply{}, tokenFailure(err)
		}
	}
	header, err := c.header(token, r.anyMember)
	if err != nil {
		return h1.Reply{}, &failure{verdict: verdictFinal, err: &Error{Kind: ErrBadReply, Message: "the server's token is no valid header"}}
	}
	reply, err := ep.pool.Do(ctx, &h1.Request{Path: r.path, Header: header, Body: r.body, Timeout: timeout})
	if err == nil {
		if (reply.Status == 401 || reply.Status == 400) && staleToken(reply) && c.tokens.drop(token) {
			return reply, &failure{verdict: verdictToken, err: replyError(reply)}
		}
		return reply, nil
	}
	e := &Error{Kind: ErrUnavailable, Err: err}
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = nil, ctxErr(ctx)
	case c.life.Err() != nil:
		e.Kind = ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Message, e.Err = "no answer within "+timeout.String(), nil
	case errors.Is(err, h1.ErrTooLarge), errors.Is(err, h1.ErrMalformed):
		e.Kind = ErrBadReply
	}
	var he *h1.Error
	if errors.As(err, &he) && !he.Sent {
		return h1.Reply{}, &failure{verdict: verdictRefused, err: e}
	}
	return h1.Reply{}, &failure{verdict: verdictUnknown, err: e}
}

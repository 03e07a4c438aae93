package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// A failure is an attempt that did not succeed.
type failure struct {
	err     *Error
	verdict verdict
	hurry   bool // the caller's context ended before there was an answer
}

// verdict is what a failed attempt means for the next one.
type verdict uint8

const (
	verdictFinal     verdict = iota // refused: not applied, and would be refused again
	verdictRefused                  // not applied, but another member or moment may take it
	verdictElsewhere                // not applied, and waiting will not help: only another member may
	verdictToken                    // not applied: the token is no longer good
	verdictUnknown                  // it may have been applied
	verdictLost                     // it may have been applied, and trying again will not help
)

// attempt sends r once to ep, with a token where one is needed, and decodes
// the reply. What it learns of ep it notes.
func (c *Client) attempt(ctx context.Context, ep *endpoint, r *request, n int, decode func(*jsonwire.Reader) error) *failure {
	timeout := max(r.timeout, 0)
	if r.timeout == 0 {
		timeout = c.cfg.AttemptTimeout
	}
	token, header, f := c.authorize(ctx, ep, r, timeout)
	if f != nil {
		f.err.Op, f.err.On, f.err.Endpoint = r.op, r.about(), ep.url
		return f
	}
	answers := ep.answers.Load()
	begin := time.Now()
	r.began = begin
	reply, f := c.exchange(ctx, ep, r, header, timeout)
	switch {
	case f != nil:
	case reply.Status == 200:
		rd := jsonwire.NewReader(reply.Body)
		err := decode(rd)
		if rd.Offset() == 0 && err == nil {
			rd.Skip() // only whether it is a reply matters
		}
		if e := rd.End(); e != nil {
			err = e
		}
		var refused *streamError
		if errors.As(err, &refused) {
			f = classifyError(refused.serverError, r)
		} else if err != nil {
			f = &failure{verdict: verdictUnknown, err: &Error{Kind: ErrBadReply, Err: err}}
		}
	case (reply.Status == 401 || reply.Status == 400) && !r.noAuth && staleToken(reply) && c.tokens.drop(token):
		f = &failure{verdict: verdictToken, err: replyError(reply)}
	default:
		f = classifyReply(reply, r)
		if reply.Status == 404 || reply.Status == 405 { // the call itself is not known there
			c.identify(ctx, ep, f)
		}
	}
	if f != nil {
		f.err.Op, f.err.On, f.err.Endpoint = r.op, r.about(), ep.url
		c.scrub(f, r, token)
	}
	if h := c.cfg.Hooks.Request; h != nil {
		info := RequestInfo{Op: r.op, Endpoint: ep.url, Attempt: n, Duration: time.Since(begin), Sent: len(r.body), Received: len(reply.Body)}
		if f != nil {
			e := *f.err // the call goes on to change its own
			info.Err = &e
		}
		h(info)
	}
	reply.Release() // nothing decoded points into it
	switch {
	case f == nil || f.answered():
		c.eps.worked(ep)
	case f.hurry:
		c.eps.silent(ep, begin, answers)
	default:
		c.eps.failed(ep)
	}
	return f
}

// answered reports whether a member that works gave this answer, so that there
// is no reason to prefer another one.
func (f *failure) answered() bool {
	return f.err.Code != CodeOK &&
		(f.verdict == verdictFinal || f.verdict == verdictToken || f.err.Kind == ErrNoSpace || f.err.Kind == ErrRateLimited || f.err.Kind == ErrUnsupported)
}

// authorize gives the token and the header lines of an attempt that is about
// to be made. A failure means that nothing was sent.
func (c *Client) authorize(ctx context.Context, ep *endpoint, r *request, timeout time.Duration) (token string, header []byte, f *failure) {
	if c.life.Err() != nil {
		return "", nil, &failure{verdict: verdictFinal, err: &Error{Kind: ErrClosed}}
	}
	if ctx.Err() != nil {
		return "", nil, &failure{verdict: verdictRefused, hurry: true, err: &Error{Err: ctxErr(ctx)}}
	}
	if !r.noAuth && c.tokens.credentials != nil {
		var err error
		if token, err = c.tokens.get(ctx, ep, timeout); err != nil {
			return "", nil, tokenFailure(err)
		}
	}
	header, err := c.header(token, r.anyMember)
	if err != nil {
		return "", nil, &failure{verdict: verdictFinal, err: &Error{Kind: ErrBadReply, Message: "the server's token is no valid header"}}
	}
	return token, header, nil
}

// exchange sends r once to ep and gives the reply, whatever its status.
func (c *Client) exchange(ctx context.Context, ep *endpoint, r *request, header []byte, timeout time.Duration) (h1.Reply, *failure) {
	reply, err := ep.pool.Do(ctx, &h1.Request{Path: r.path, Header: header, Body: r.body, Timeout: timeout})
	if err == nil {
		return reply, nil
	}
	var he *h1.Error
	f := &failure{verdict: verdictUnknown, err: &Error{Kind: ErrUnavailable, Err: err}}
	if errors.As(err, &he) && !he.Sent {
		f.verdict = verdictRefused
	}
	switch {
	case over(ctx) != nil:
		f.hurry = true
		f.err.Kind, f.err.Err = nil, ctxErr(ctx)
		if c.life.Err() != nil {
			f.err.Kind = ErrClosed
		}
	case c.life.Err() != nil:
		f.err.Kind, f.err.Err = ErrClosed, nil
	case errors.Is(err, h1.ErrTooLarge):
		f.verdict = verdictLost
		f.err.Kind = ErrBadReply
		f.err.Message, f.err.Err = "the reply is larger than "+itoa(c.cfg.MaxReplyBytes)+" bytes", errReplyTooLarge
	case errors.Is(err, h1.ErrNotHTTP):
		f.verdict = verdictElsewhere
		f.err.Kind, f.err.Err = ErrNotEtcd, nil
		f.err.Message = "answered, but not in HTTP" + strings.TrimPrefix(he.Err.Error(), h1.ErrNotHTTP.Error())
	case errors.Is(err, h1.ErrMalformed):
		f.err.Kind = ErrBadReply
	case f.verdict == verdictRefused && mistrusts(err):
		f.verdict = verdictElsewhere
	case errors.Is(err, os.ErrDeadlineExceeded) && f.verdict == verdictUnknown:
		f.err.Message, f.err.Err = "no answer within "+timeout.String(), nil
	}
	return reply, f
}

// errReplyTooLarge is the cause of an ErrBadReply that says: ask for less.
var errReplyTooLarge = errors.New("ask for less at a time or raise Config.MaxReplyBytes")

// mistrusts reports whether TLS failed for a reason that stays: a certificate
// that is not accepted, on either side, or no TLS at the endpoint at all.
func mistrusts(err error) bool {
	var (
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	return errors.As(err, &cert) || errors.As(err, &record) || errors.As(err, &alert)
}

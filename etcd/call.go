package etcd

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/quorate/quorate/internal/jsonwire"
	"github.com/quorate/quorate/internal/mutant"
)

// A request is one unary call of the gateway.
type request struct {
	op   string // for errors and hooks: "put", "lease grant", ...
	on   string // for errors: the key, lease or user it is about
	call *call  // says what it is about where on is empty
	path string
	body []byte
	mode callMode
	// timeout bounds one attempt; 0 means Config.AttemptTimeout, negative none.
	timeout time.Duration
	// until is when to stop trying; zero means Config.RetryTimeout from now.
	until time.Time
	// anyMember lets a member answer that has no leader.
	anyMember bool
	// noAuth sends no token.
	noAuth bool
	// only sends it to this endpoint and to no other.
	only *endpoint

	// secret is what stands in the body that no error may show.
	secret string

	began time.Time // when the last attempt began
}

// about says what r is about, for errors.
func (r *request) about() string {
	if r.on == "" && r.call != nil {
		return r.call.on()
	}
	return r.on
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
	if f := c.try(ctx, r, decode); f != nil {
		return f.err
	}
	return nil
}

// try is do with all that is known of the failure.
func (c *Client) try(ctx context.Context, r *request, decode func(*jsonwire.Reader) error) *failure {
	var (
		t     tries
		wait  *backoff.ExponentialBackOff
		until = r.until
	)
	if until.IsZero() {
		until = time.Now().Add(c.cfg.RetryTimeout)
	}
	for {
		f, again := c.round(ctx, r, &t, decode)
		if f == nil {
			return nil
		}
		left := time.Until(until)
		if !again || c.cfg.RetryTimeout < 0 || left <= 0 {
			return f
		}
		if wait == nil {
			wait = newBackoff()
		}
		pause := min(wait.NextBackOff(), left) // the last round is at the very end
		c.log.Debug("etcd call waits to be tried again", "op", r.op, "endpoint", f.err.Endpoint, "attempts", t.n, "pause", pause, "error", f.err)
		if err := sleep(ctx, c.life, pause); err != nil {
			f.err.Err = errors.Join(err, f.err.Err)
			return f
		}
	}
}

// tries is what the attempts of one call have come to so far.
type tries struct {
	n       int  // attempts made
	unknown bool // one of them may have been applied
	renewed int  // how often in a row the token was renewed because of a refusal

	before *Error // why the attempt before the last failed
}

// round asks one endpoint after the other, each at most once, until one
// carries r out or the answer stands. It reports whether another round, a
// little later, may do better.
func (c *Client) round(ctx context.Context, r *request, t *tries, decode func(*jsonwire.Reader) error) (f *failure, again bool) {
	var asked uint64 // endpoints of this round, by bit
	for {
		ep := r.only
		if ep == nil {
			ep = c.eps.pick(asked)
		}
		t.n++
		if f = c.attempt(ctx, ep, r, t.n, decode); f == nil {
			return nil, false
		}
		open := f.verdict == verdictUnknown || f.verdict == verdictLost
		t.unknown = t.unknown || open && r.mode != modeRead
		f.err.Unknown = t.unknown && !mutant.UnknownIsRefused
		switch {
		case f.verdict == verdictFinal || f.verdict == verdictLost:
			return f, false
		case over(ctx) != nil:
			if err := over(ctx); !errors.Is(f.err, err) {
				f.err.Err = errors.Join(ctxErr(ctx), f.err.Err)
			}
			if f.hurry && t.before != nil { // why it took so long
				f.err.Err = errors.Join(f.err.Err, t.before)
			}
			return f, false
		case t.unknown && r.mode == modeWrite && !mutant.RetryUnknown:
			return f, false
		case f.verdict == verdictToken:
			// The token was dropped: the next attempt fetches a new one.
			if t.renewed++; t.renewed > maxRenewals {
				return f, false
			}
			continue
		}
		t.renewed = 0
		// A malformed reply and a stranger at the endpoint do not get better
		// by waiting; another endpoint may do.
		again = again || f.verdict != verdictElsewhere && !(open && f.err.Kind == ErrBadReply)
		t.before = f.err
		asked |= 1 << (c.eps.index(ep) % 64)
		if r.only != nil || c.eps.allAsked(asked) {
			return f, again
		}
	}
}

// maxRenewals is how many new tokens one call fetches because one after the
// other was refused: one that expired, and one more for a member that lags behind.
const maxRenewals = 2

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

// over gives why ctx has ended, or nil. Its deadline counts as soon as it has
// passed: what ends a connection may be a moment ahead of ctx's own timer.
func over(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return nil
}

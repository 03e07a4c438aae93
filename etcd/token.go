package etcd

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/quorate/quorate/internal/jsonwire"
)

// A tokenSource holds the token that user name and password were exchanged
// for. All calls share it; when it is refused, one of them fetches a new one
// and the others wait for that.
type tokenSource struct {
	c *Client
	// credentials is a function so that no formatting of the client finds them.
	credentials func() (user, password string)

	fetch singleflight.Group
	mu    sync.Mutex
	token func() string // nil: none yet
	off   bool          // the server has authentication switched off
}

// get gives the token to send, "" for none. It waits for one no longer than
// timeout, which bounds an attempt; 0 is no bound.
func (t *tokenSource) get(ctx context.Context, ep *endpoint, timeout time.Duration) (string, error) {
	if t.credentials == nil {
		return "", nil
	}
	t.mu.Lock()
	token, off := t.token, t.off
	t.mu.Unlock()
	switch {
	case off:
		return "", nil
	case token != nil:
		return token(), nil
	}
	// The fetch serves all that wait, so it must not end with one of them. It
	// is one for each endpoint: who turns to another must not wait for this.
	got := make(chan error, 1)
	if err := t.c.start(func() {
		_, err, _ := t.fetch.Do(ep.url, func() (any, error) { return nil, t.renew(ep) })
		got <- err
	}); err != nil {
		return "", err
	}
	var late <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err := <-got:
		if err != nil {
			return "", err
		}
	case <-late:
		return "", &tokenError{&failure{verdict: verdictRefused, err: &Error{Op: "authenticate", Endpoint: ep.url, Kind: ErrUnavailable, Message: "no token within " + timeout.String()}}}
	case <-ctx.Done():
		return "", ctxErr(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == nil {
		return "", nil
	}
	return t.token(), nil
}

// drop forgets a token that was refused. It reports whether trying again makes
// sense: there are credentials to fetch another one with.
func (t *tokenSource) drop(refused string) bool {
	if t.credentials == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.off = false
	if t.token != nil && t.token() == refused {
		t.token = nil
	}
	return true
}

// renew exchanges user name and password for a token.
func (t *tokenSource) renew(ep *endpoint) error {
	t.mu.Lock()
	have := t.token != nil || t.off
	t.mu.Unlock()
	if have {
		return nil // another fetch ended just before this one began
	}
	user, password := t.credentials()
	body := object(nil)
	body.text("name", user)
	body.text("password", password)
	r := &request{op: "authenticate", on: "user " + quoteKey(user), path: "/v3/auth/authenticate", body: body.end(), mode: modeRead, noAuth: true, secret: password}
	var token string
	f := t.c.attempt(context.Background(), ep, r, 1, func(rd *jsonwire.Reader) error {
		for name := range rd.Object {
			if string(name) == "token" {
				token = rd.String()
			}
		}
		return nil
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case f != nil && f.err.Code == CodeFailedPrecondition && strings.Contains(f.err.Message, "authentication is not enabled"):
		t.off = true // drop asks again when the server changes its mind
		return nil
	case f != nil:
		return &tokenError{f}
	case token == "":
		return &tokenError{&failure{verdict: verdictElsewhere, err: &Error{Op: r.op, On: r.on, Endpoint: ep.url, Kind: ErrBadReply, Message: "the reply holds no token"}}}
	}
	t.token = func() string { return token }
	return nil
}

// A tokenError carries what a failed authentication means for the call that
// wanted a token.
type tokenError struct{ f *failure }

func (e *tokenError) Error() string { return e.f.err.Error() }

// tokenFailure is the failure of a call that got no token: nothing of it was
// sent, and it is final only if the credentials are wrong.
func tokenFailure(err error) *failure {
	var te *tokenError
	if !errors.As(err, &te) {
		return &failure{verdict: verdictRefused, err: &Error{Err: err}}
	}
	v := te.f.verdict
	if v == verdictUnknown || v == verdictLost {
		v = verdictRefused // the call itself was not sent
	}
	e := te.f.err
	return &failure{verdict: v, err: &Error{Kind: e.Kind, Code: e.Code, Err: e}}
}

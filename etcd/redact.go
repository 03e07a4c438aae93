package etcd

import (
	"errors"
	"strings"
)

// A server, or whatever stands in its place, may repeat in its words what it
// was sent: a password, a token. Those words reach errors, logs and hooks only
// through here.

// redact takes the client's secrets out of a text of a server. also are
// secrets that only the caller knows to be ones, such as the token that was
// sent, which need not be the present one.
func (c *Client) redact(text string, also ...string) string {
	if text == "" {
		return ""
	}
	hide := also
	if t := c.tokens; t.credentials != nil {
		_, password := t.credentials()
		hide = append(hide[:len(hide):len(hide)], password)
		t.mu.Lock()
		if t.token != nil {
			hide = append(hide, t.token())
		}
		t.mu.Unlock()
	}
	for _, s := range hide {
		if s != "" {
			text = withoutTail(strings.ReplaceAll(text, s, redacted), s)
		}
	}
	return text
}

const (
	redacted = "[redacted]"
	// leastTail is how much of a secret at the end of a text counts as one.
	leastTail = 4
)

// withoutTail takes off the beginning of secret with which text ends: what is
// kept of a server's words is bounded, and the bound may lie within a secret.
func withoutTail(text, secret string) string {
	for n := min(len(secret)-1, len(text)); n >= leastTail; n-- {
		if strings.HasSuffix(text, secret[:n]) {
			return text[:len(text)-n] + redacted
		}
	}
	return text
}

// redactErr gives err as it is if its words hold no secret; else only what
// remains of them.
func (c *Client) redactErr(err error, also ...string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if clean := c.redact(text, also...); clean != text {
		return errors.New(clean)
	}
	return err
}

// scrub takes secrets out of what a server said to r, which was sent with
// token.
func (c *Client) scrub(f *failure, r *request, token string) {
	f.err.Message = c.redact(f.err.Message, r.secret, token)
}

package etcdtest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// login is who a call or a stream comes from. A nil login gave no token.
type login struct {
	name string
	err  *Error // the token was given but is not valid
}

// token is a simple token. Members keep them in memory: a restart loses them.
type token struct {
	user    string
	expires time.Time
}

// tokenOf finds the token of a request. Unlike a POST, a WebSocket carries it
// as a second subprotocol or as a cookie, which the gateway makes a bearer
// token of; its Authorization header is dropped.
func (s *Server) tokenOf(r *http.Request) string {
	if !isUpgrade(r) {
		return s.bare(r.Header.Get("Authorization"))
	}
	if c, err := r.Cookie("token"); err == nil {
		return s.bare("Bearer " + c.Value)
	}
	fields := strings.Split(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	if len(fields) == 2 && strings.TrimSpace(fields[0]) == "Bearer" {
		return s.bare("Bearer " + strings.TrimSpace(fields[1]))
	}
	return ""
}

func (s *Server) bare(tok string) string {
	if s.takesBearer() {
		return strings.TrimPrefix(tok, "Bearer ")
	}
	return tok
}

// takesBearer says whether the version understands "Bearer TOKEN".
func (s *Server) takesBearer() bool {
	switch s.minor {
	case 5:
		return s.patch >= 32
	case 6:
		return s.patch >= 13
	}
	return s.minor >= 7
}

// logIn resolves the token of a call and gives the token new life. The caller
// holds the mutex.
func (s *Server) logIn(member int, tok string) *login {
	if !s.auth.enabled || tok == "" {
		return nil
	}
	t := s.members[member].tokens[tok]
	if t == nil || !time.Now().Before(t.expires) {
		delete(s.members[member].tokens, tok)
		return &login{err: errInvalidToken}
	}
	t.expires = time.Now().Add(s.opts.tokenTTL)
	return &login{name: t.user}
}

// issue makes a token that every running member knows.
func (s *Server) issue(user string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, 16)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	tok := string(b) + "." + strconv.FormatUint(s.applied, 10)
	for _, m := range s.members {
		if !m.down {
			m.tokens[tok] = &token{user: user, expires: time.Now().Add(s.opts.tokenTTL)}
		}
	}
	return tok
}

// forget makes the tokens of a user invalid.
func (s *Server) forget(user string) {
	for _, m := range s.members {
		for tok, t := range m.tokens {
			if t.user == user {
				delete(m.tokens, tok)
			}
		}
	}
}

// awaitToken waits, as etcd does, while a token names a point of the log that
// the member has not reached.
func (s *Server) awaitToken(ctx context.Context, tok string) *Error {
	_, index, ok := strings.Cut(tok, ".")
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(index, 10, 64)
	if err != nil {
		return nil
	}
	for {
		s.mu.Lock()
		reached := !s.auth.enabled || s.applied >= n
		changed := s.change()
		s.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
}

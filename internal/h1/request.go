package h1

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Request is one exchange. It is only read, so several calls may share one.
type Request struct {
	Method string // POST if empty; or GET
	Path   string // begins with a slash; sent as it is
	Header []byte // further lines, each made by HeaderLine, one after the other
	Body   []byte

	// Timeout bounds the exchange, dialing included; for DoStream, until the
	// reply's head is there. It costs less than a context with a deadline.
	// Zero is no bound of its own.
	Timeout time.Duration
}

// HeaderLine returns a header's line as Request.Header takes it. It refuses
// what would end the line or is no header; the error does not show the value.
func HeaderLine(name, value string) ([]byte, error) {
	if !isToken(name) {
		return nil, fmt.Errorf("%w: %q is no header name", ErrRequest, name)
	}
	if !isFieldValue(value) {
		return nil, fmt.Errorf("%w: the value of header %s has bytes that a header can't carry", ErrRequest, name)
	}
	return []byte(name + ": " + value + "\r\n"), nil
}

// check refuses a request that would not arrive as what it is.
func (q *Request) check() error {
	if q.Method != "" && q.Method != "POST" && q.Method != "GET" {
		return fmt.Errorf("%w: method %q", ErrRequest, q.Method)
	}
	if !strings.HasPrefix(q.Path, "/") {
		return fmt.Errorf("%w: the path does not begin with a slash", ErrRequest)
	}
	for i := range len(q.Path) {
		if c := q.Path[i]; c <= ' ' || c >= 0x7f {
			return fmt.Errorf("%w: the path has a space or an unprintable byte", ErrRequest)
		}
	}
	if n := len(q.Header); n > 0 && (n < 2 || string(q.Header[n-2:]) != "\r\n") {
		return fmt.Errorf("%w: the header lines do not end with a line end", ErrRequest)
	}
	return nil
}

// appendHead appends the request's head. common is what is the same in every
// request of a pool.
func (q *Request) appendHead(dst []byte, common string) []byte {
	if q.Method == "GET" {
		dst = append(dst, "GET "...)
	} else {
		dst = append(dst, "POST "...)
	}
	dst = append(dst, q.Path...)
	dst = append(dst, common...)
	dst = append(dst, q.Header...)
	if q.Method != "GET" || len(q.Body) > 0 {
		dst = append(dst, "Content-Type: application/json\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(q.Body)), 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// commonHead is what follows the path in every request to host.
func commonHead(host string) string {
	return " HTTP/1.1\r\nHost: " + host + "\r\nAccept-Encoding: identity\r\n"
}

// isToken says whether s may be a header's name.
func isToken[T string | []byte](s T) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

// isFieldValue says whether s may be a header's value.
func isFieldValue[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

var tokenBytes = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

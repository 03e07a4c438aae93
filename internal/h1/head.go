package h1

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	maxHead    = 64 << 10 // bytes of a reply's head
	maxInterim = 8        // 1xx replies before the final one
)

// head is what matters of a reply's head.
type head struct {
	status   int
	length   int64 // -1 where Content-Length is absent
	chunked  bool
	old      bool // HTTP/1.0
	close    bool // the connection ends with this reply
	encoding encoding
	typ      string // Content-Type
	location string
}

type encoding uint8

const (
	identity encoding = iota
	gzipped
	otherEncoding
)

// bodiless says whether the reply has no body whatever its head says.
func (h *head) bodiless() bool {
	return h.status < 200 || h.status == 204 || h.status == 304
}

// headEnd returns how long the head at the start of b is, with its empty
// line, or 0 if that is not there yet. from is where to go on looking.
func headEnd(b []byte, from int) int {
	from = max(from-3, 0)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// parseHead reads a reply's head, which ends with its empty line.
func parseHead(b []byte) (head, error) {
	h := head{length: -1}
	line, rest := cutLine(b)
	if err := h.statusLine(line); err != nil {
		return h, err
	}
	for {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		name, value, err := parseField(line)
		if err != nil {
			return h, err
		}
		if err := h.field(name, value); err != nil {
			return h, err
		}
	}
	if h.chunked && (h.old || h.length >= 0) {
		// Two lengths are how replies are smuggled past a proxy.
		return h, malformed("Transfer-Encoding in HTTP/1.0 or beside a Content-Length")
	}
	return h, nil
}

// cutLine cuts b behind its first CRLF. The last line is empty.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\r\n"))
	return line, rest
}

func (h *head) statusLine(line []byte) error {
	const version = "HTTP/1."
	if len(line) < len(version)+5 || string(line[:len(version)]) != version ||
		line[len(version)+1] != ' ' || !isFieldValue(line) {
		return malformed("no HTTP/1 status line")
	}
	switch line[len(version)] {
	case '1':
	case '0':
		h.old, h.close = true, true
	default:
		return malformed("unknown version of HTTP")
	}
	code := line[len(version)+2:]
	if len(code) > 3 && code[3] != ' ' {
		return malformed("status code without three digits")
	}
	for _, c := range code[:3] {
		if c < '0' || c > '9' {
			return malformed("status code without three digits")
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return malformed("status code below 100")
	}
	return nil
}

// parseField cuts a header line.
func parseField(line []byte) (name, value []byte, err error) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || !isToken(name) {
		return nil, nil, malformed("header line without a name")
	}
	value = bytes.Trim(value, " \t")
	if !isFieldValue(value) {
		return nil, nil, malformed("control character in a header")
	}
	return name, value, nil
}

// field takes in one header.
func (h *head) field(name, value []byte) error {
	switch len(name) {
	case len("Location"):
		if is(name, "location") {
			h.location = string(value)
		}
	case len("Connection"):
		if is(name, "connection") {
			h.close = h.close || hasToken(value, "close")
		}
	case len("Content-Type"):
		if !is(name, "content-type") {
			break
		}
		if h.typ = "application/json"; string(value) != h.typ {
			h.typ = string(value)
		}
	case len("Content-Length"):
		if !is(name, "content-length") {
			break
		}
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil || len(value) > 0 && value[0] == '+' {
			return malformed("Content-Length that is no number")
		}
		if h.length >= 0 && h.length != int64(n) {
			return malformed("two Content-Lengths that differ")
		}
		h.length = int64(n)
	case len("Content-Encoding"):
		if is(name, "content-encoding") {
			h.contentEncoding(value)
		}
	case len("Transfer-Encoding"):
		if !is(name, "transfer-encoding") {
			break
		}
		if h.chunked || !is(value, "chunked") {
			return malformed("Transfer-Encoding other than chunked")
		}
		h.chunked = true
	}
	return nil
}

func (h *head) contentEncoding(value []byte) {
	switch {
	case len(value) == 0 || is(value, "identity"):
	case h.encoding == identity && (is(value, "gzip") || is(value, "x-gzip")):
		h.encoding = gzipped
	default:
		h.encoding = otherEncoding
	}
}

// is compares with a lower-case ASCII word, ignoring case.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// hasToken says whether a comma-separated list has a word.
func hasToken(list []byte, word string) bool {
	for t := range strings.SplitSeq(string(list), ",") {
		if strings.EqualFold(strings.Trim(t, " \t"), word) {
			return true
		}
	}
	return false
}

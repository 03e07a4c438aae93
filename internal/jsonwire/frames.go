package jsonwire

import (
	"bytes"
	"errors"
	"io"
)

// Frames cuts a stream of JSON objects, as the gateway's streams send them,
// into documents. It goes by the JSON itself and not by line ends, because
// the last message of a stream of etcd 3.5 has none. It is not safe for
// concurrent use.
type Frames struct {
	src io.Reader
	max int
	buf []byte
	pos int // start of what has not been returned
	err error
}

const firstRead = 4 << 10

// NewFrames returns a Frames that reads from src and refuses documents of more
// than limit bytes.
func NewFrames(src io.Reader, limit int) *Frames {
	return &Frames{src: src, max: limit}
}

// Next returns the next document, without space around it. It is good until
// the following call. The error is io.EOF at the end of the stream,
// io.ErrUnexpectedEOF where it ends within a document, [ErrTooLarge], a
// [SyntaxError] where something else than an object begins, or the source's;
// it repeats. Next finds a document's end and checks no more than that needs:
// a [Reader] does the rest.
func (f *Frames) Next() ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	for !f.skipSpace() {
		if f.err = f.fill(); f.err != nil {
			return nil, f.err
		}
	}
	if c := f.buf[f.pos]; c != '{' {
		f.err = &SyntaxError{What: "something else than an object in a stream"}
		return nil, f.err
	}
	var s extent
	for n := 0; ; {
		n = s.scan(f.buf[f.pos:], n)
		if n > f.max {
			f.err = ErrTooLarge
			return nil, f.err
		}
		if s.done {
			doc := f.buf[f.pos : f.pos+n : f.pos+n]
			f.pos += n
			return doc, nil
		}
		if f.err = f.fill(); f.err != nil {
			if errors.Is(f.err, io.EOF) {
				f.err = io.ErrUnexpectedEOF
			}
			return nil, f.err
		}
	}
}

// skipSpace reports whether anything but space is left in the buffer.
func (f *Frames) skipSpace() bool {
	for ; f.pos < len(f.buf); f.pos++ {
		switch f.buf[f.pos] {
		case ' ', '\n', '\t', '\r':
		default:
			return true
		}
	}
	return false
}

// fill reads more. It moves what is pending to the front of the buffer, and
// lets go of a buffer that one large document has blown up.
func (f *Frames) fill() error {
	pending := f.buf[f.pos:]
	switch {
	case len(pending) == 0 && cap(f.buf) > 16*firstRead:
		f.buf = nil
	case f.pos > 0:
		f.buf = f.buf[:copy(f.buf, pending)]
	}
	f.pos = 0
	if len(f.buf) == cap(f.buf) {
		f.buf = append(make([]byte, 0, max(2*cap(f.buf), firstRead)), f.buf...)
	}
	for range 100 {
		n, err := f.src.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+n]
		if n > 0 {
			return nil // an error that came along will come again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// extent finds the end of an object piece by piece.
type extent struct {
	depth    int
	inString bool
	escaped  bool
	done     bool
}

// scan goes on at b[i] and returns where it stopped: behind the object once
// done is set, else at the end of b.
func (s *extent) scan(b []byte, i int) int {
	for i < len(b) {
		if s.inString {
			if s.escaped {
				s.escaped = false
				i++
				continue
			}
			n := bytes.IndexAny(b[i:], `"\`)
			if n < 0 {
				return len(b)
			}
			i += n
			s.escaped = b[i] == '\\'
			s.inString = s.escaped
			i++
			continue
		}
		switch b[i] {
		case '"':
			s.inString = true
		case '{', '[':
			s.depth++
		case '}', ']':
			if s.depth--; s.depth == 0 {
				s.done = true
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

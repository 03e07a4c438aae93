package jsonwire

import (
	"bytes"
	"encoding/base64"
	"slices"
	"unsafe"
)

// strict refuses padding bits that are not zero, which no encoder writes.
var strict = base64.StdEncoding.Strict()

// Bytes reads a string of base64 (standard, padded) and returns what it stands
// for: nil for null, empty but not nil for "". See the package's remarks on
// retention.
func (r *Reader) Bytes() []byte {
	src, pos, ok := r.base64Text()
	if !ok {
		return nil
	}
	dst := r.arena.cut(decodedLen(src))
	if !r.decode(dst, src, pos) {
		return nil
	}
	return dst
}

// BytesString is like Bytes but returns a string, which costs no copy. It is
// how keys are read.
func (r *Reader) BytesString() string {
	b := r.Bytes()
	if len(b) == 0 {
		return ""
	}
	// The bytes were cut for this value alone and nobody else will see them.
	return unsafe.String(&b[0], len(b))
}

// AppendBytes is like Bytes but appends to dst, which the caller owns.
func (r *Reader) AppendBytes(dst []byte) []byte {
	src, pos, ok := r.base64Text()
	if !ok {
		return dst
	}
	n := len(dst)
	out := slices.Grow(dst, decodedLen(src))[:n+decodedLen(src)]
	if !r.decode(out[n:], src, pos) {
		return dst
	}
	return out
}

// base64Text reads a string that should be base64 and says where it began.
// It reports false for null and after an error.
func (r *Reader) base64Text() (src []byte, pos int, ok bool) {
	switch r.peek() {
	case '"':
	case 'n':
		r.literal("null")
		return nil, 0, false
	default:
		r.failExpected(r.pos, "a string of base64")
		return nil, 0, false
	}
	pos = r.pos
	// No quote is part of the alphabet, so the decoder finds whatever is wrong
	// between here and the next one, and only escapes need a slower look.
	n := bytes.IndexByte(r.data[pos+1:], '"')
	if n < 0 {
		r.fail(len(r.data), "the document ends inside a string")
		return nil, 0, false
	}
	src = r.data[pos+1 : pos+1+n]
	if bytes.IndexByte(src, '\\') < 0 {
		r.pos = pos + n + 2
		return src, pos, true
	}
	src = r.text()
	return src, pos, r.err == nil
}

// decode decodes src, which stood at pos, into dst, which has decodedLen(src)
// bytes.
func (r *Reader) decode(dst, src []byte, pos int) bool {
	if len(src)%4 == 0 {
		// The decoder ignores line ends, which shorten the result.
		if n, err := strict.Decode(dst, src); err == nil && n == len(dst) {
			return true
		}
	}
	r.fail(pos, "string that is not standard, padded base64")
	return false
}

// decodedLen returns how many bytes src stands for, if it is well-formed.
func decodedLen(src []byte) int {
	n := len(src) / 4 * 3
	switch {
	case bytes.HasSuffix(src, []byte("==")):
		return max(n-2, 0)
	case bytes.HasSuffix(src, []byte("=")):
		return max(n-1, 0)
	}
	return n
}

// arena hands out memory for decoded values. Small ones share chunks, since a
// reply of a hundred keys should not cost two hundred allocations.
type arena struct {
	free []byte // what is left of the current chunk
	next int    // size of the next chunk
}

const (
	firstChunk = 256
	lastChunk  = 8 << 10
	ownMemory  = lastChunk / 4 // a value of this size shares no chunk
)

// cut returns n bytes that nobody else has.
func (a *arena) cut(n int) []byte {
	switch {
	case n == 0:
		return []byte{}
	case n >= ownMemory:
		return make([]byte, n)
	case n > len(a.free):
		a.next = min(max(2*a.next, firstChunk), lastChunk)
		a.free = make([]byte, max(a.next, n))
	}
	b := a.free[:n:n]
	a.free = a.free[n:]
	return b
}

package jsonwire

// Reader pulls values out of one JSON document. The zero value reads the
// empty document; [Reader.Reset] gives it another. It is not safe for
// concurrent use.
type Reader struct {
	data  []byte
	pos   int
	depth int
	err   error
	arena arena
}

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of values. Invalid stands for anything that no value begins with,
// the end of the document included.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

// NewReader returns a Reader over the document in data.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Reset makes the Reader start over with the document in data. Values that
// were read before stay good.
func (r *Reader) Reset(data []byte) {
	r.data, r.pos, r.depth, r.err = data, 0, 0, nil
}

// Err returns the first error met, or nil.
func (r *Reader) Err() error { return r.err }

// End checks that nothing but space follows the value that was read, and
// returns the first error met, or nil.
func (r *Reader) End() error {
	if c := r.peek(); r.err == nil && (c != 0 || r.pos < len(r.data)) {
		r.failExpected(r.pos, "the end of the document")
	}
	return r.err
}

// Offset returns how many bytes have been read.
func (r *Reader) Offset() int { return r.pos }

// Kind returns the kind of the next value without reading it. It judges by
// the first byte alone.
func (r *Reader) Kind() Kind {
	switch c := r.peek(); c {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return Number
		}
		return Invalid
	}
}

// peek skips space and returns the byte after it, or 0 at the end or after an
// error. (A zero byte in the document begins no value either.)
func (r *Reader) peek() byte {
	if r.err != nil {
		return 0
	}
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\n', '\t', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// literal reads word, whose first byte has been seen.
func (r *Reader) literal(word string) bool {
	end := r.pos + len(word)
	if end > len(r.data) || string(r.data[r.pos:end]) != word {
		r.fail(r.pos, "misspelled "+word)
		return false
	}
	r.pos = end
	return true
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	switch r.peek() {
	case 't':
		return r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.failExpected(r.pos, "a bool")
	}
	return false
}

// Skip reads any value and drops it. The value is checked like any other.
func (r *Reader) Skip() {
	switch r.peek() {
	case '{':
		r.Object(skipMember)
	case '[':
		r.Array(skipElement)
	case '"':
		r.skipString()
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.skipNumber()
	}
}

func skipMember([]byte) bool { return true }
func skipElement(int) bool   { return true }

// Raw reads any value and returns its text, which is part of the document.
func (r *Reader) Raw() []byte {
	r.peek()
	start := r.pos
	r.Skip()
	if r.err != nil {
		return nil
	}
	return r.data[start:r.pos:r.pos]
}

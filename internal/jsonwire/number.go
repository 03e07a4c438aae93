package jsonwire

import "math"

// Int64 reads an integer that stands as a number or as a string.
func (r *Reader) Int64() int64 {
	mag, neg, pos := r.integer()
	switch {
	case !neg && mag <= math.MaxInt64:
		return int64(mag)
	case neg && mag <= 1<<63:
		return -int64(mag) // 1<<63 wraps to itself, which is right
	}
	r.fail(pos, "integer out of the range of int64")
	return 0
}

// Uint64 reads an integer without a sign that stands as a number or as a
// string. etcd's cluster and member IDs need all 64 bits.
func (r *Reader) Uint64() uint64 {
	mag, neg, pos := r.integer()
	if neg {
		r.fail(pos, "negative integer")
		return 0
	}
	return mag
}

// Int32 reads an integer that stands as a number or as a string.
func (r *Reader) Int32() int32 {
	mag, neg, pos := r.integer()
	switch {
	case !neg && mag <= math.MaxInt32:
		return int32(mag)
	case neg && mag <= 1<<31:
		return int32(-int64(mag))
	}
	r.fail(pos, "integer out of the range of int32")
	return 0
}

// Enum reads an enum that stands as a name or as a number. names[i] is the
// name of value i. A name that is not among them is an error; a number that
// is not (a newer server's) is returned as it is.
func (r *Reader) Enum(names []string) int32 {
	if r.peek() != '"' {
		return r.Int32()
	}
	pos := r.pos
	text := r.text()
	if r.err != nil {
		return 0
	}
	for i, name := range names {
		if string(text) == name {
			return int32(i)
		}
	}
	if len(text) > 0 && (text[0] == '-' || isDigit(text[0])) {
		r.pos = pos
		return r.Int32()
	}
	r.fail(pos, "unknown name of an enum")
	return 0
}

// integer reads an integer as magnitude and sign, and says where it began.
// After an error, and for null, it is 0.
func (r *Reader) integer() (mag uint64, neg bool, pos int) {
	quoted := false
	switch r.peek() {
	case '"':
		quoted = true
		r.pos++
	case 'n':
		r.literal("null")
		return 0, false, r.pos
	}
	if r.err != nil {
		return 0, false, r.pos
	}
	pos = r.pos
	i, data := pos, r.data
	if i < len(data) && data[i] == '-' {
		neg = true
		i++
	}
	first := i
	for ; i < len(data); i++ {
		d := data[i] - '0'
		if d > 9 {
			break
		}
		// Below this bound neither step can overflow.
		if mag >= math.MaxUint64/10 {
			if mag > math.MaxUint64/10 || d > math.MaxUint64%10 {
				r.fail(pos, "integer out of range")
				return 0, false, pos
			}
		}
		mag = mag*10 + uint64(d)
	}
	switch {
	case i == first:
		r.failExpected(i, "an integer")
	case data[first] == '0' && i > first+1:
		r.fail(pos, "integer with a leading zero")
	case quoted && (i >= len(data) || data[i] != '"'):
		r.failExpected(i, "the end of a quoted integer")
	case !quoted && i < len(data) && (data[i] == '.' || data[i]|0x20 == 'e'):
		r.fail(pos, "number that is not written as an integer")
	}
	if r.err != nil {
		return 0, false, pos
	}
	if quoted {
		i++
	}
	r.pos = i
	return mag, neg && mag != 0, pos
}

// skipNumber reads any JSON number, or says that no value begins here.
func (r *Reader) skipNumber() {
	if r.err != nil {
		return
	}
	start := r.pos
	if r.at('-') {
		r.pos++
	}
	switch {
	case r.at('0'):
		r.pos++
	case !r.digits():
		if r.pos == start {
			r.failExpected(start, "a value")
		} else {
			r.failExpected(r.pos, "a digit")
		}
		return
	}
	if r.at('.') {
		r.pos++
		if !r.digits() {
			r.failExpected(r.pos, "a digit")
			return
		}
	}
	if r.at('e') || r.at('E') {
		r.pos++
		if r.at('+') || r.at('-') {
			r.pos++
		}
		if !r.digits() {
			r.failExpected(r.pos, "a digit")
		}
	}
}

func (r *Reader) at(c byte) bool { return r.pos < len(r.data) && r.data[r.pos] == c }

// digits reads digits and reports whether there was one.
func (r *Reader) digits() bool {
	start := r.pos
	for r.pos < len(r.data) && isDigit(r.data[r.pos]) {
		r.pos++
	}
	return r.pos > start
}

func isDigit(c byte) bool { return c-'0' <= 9 }

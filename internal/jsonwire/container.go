package jsonwire

// Object reads an object and yields the key of each member; the loop body
// reads the member's value, or leaves it to be skipped. A key is good until
// the document is reused; duplicates are yielded as often as they stand there.
// Use it as an iterator: for key := range r.Object.
func (r *Reader) Object(yield func(key []byte) bool) {
	if !r.enter('{', "an object") {
		return
	}
	defer r.leave()
	if r.peek() == '}' {
		r.pos++
		return
	}
	for more := true; ; {
		if r.peek() != '"' {
			r.failExpected(r.pos, "a member's name")
			return
		}
		key := r.text()
		if r.peek() != ':' {
			r.failExpected(r.pos, "a colon")
			return
		}
		r.pos++
		r.peek()
		if start := r.pos; r.err == nil {
			// Skip what the body left, and everything once it has broken off.
			more = more && yield(key)
			if r.pos == start {
				r.Skip()
			}
		}
		switch r.peek() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return
		default:
			r.failExpected(r.pos, "a comma or the end of an object")
			return
		}
	}
}

// Array reads an array and yields the index of each element; the loop body
// reads the element, or leaves it to be skipped. Use it as an iterator:
// for range r.Array.
func (r *Reader) Array(yield func(i int) bool) {
	if !r.enter('[', "an array") {
		return
	}
	defer r.leave()
	if r.peek() == ']' {
		r.pos++
		return
	}
	more := true
	for i := 0; ; i++ {
		r.peek()
		if start := r.pos; r.err == nil {
			more = more && yield(i)
			if r.pos == start {
				r.Skip()
			}
		}
		switch r.peek() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return
		default:
			r.failExpected(r.pos, "a comma or the end of an array")
			return
		}
	}
}

// enter reads the opening bracket of a container. It reports false for null,
// which is an empty one, and for an error.
func (r *Reader) enter(open byte, want string) bool {
	switch r.peek() {
	case open:
		if r.depth >= MaxDepth {
			r.fail(r.pos, "nested too deeply")
			return false
		}
		r.depth++
		r.pos++
		return true
	case 'n':
		r.literal("null")
	default:
		r.failExpected(r.pos, want)
	}
	return false
}

func (r *Reader) leave() { r.depth-- }

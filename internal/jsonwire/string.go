package jsonwire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string.
func (r *Reader) String() string {
	switch r.peek() {
	case '"':
		return string(r.text())
	case 'n':
		r.literal("null")
	default:
		r.failExpected(r.pos, "a string")
	}
	return ""
}

// plain tells which bytes stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// text reads a string whose quote has been seen. The result is part of the
// document where nothing had to be rewritten.
func (r *Reader) text() []byte {
	start := r.pos + 1
	i := start
	for i < len(r.data) && plain[r.data[i]] {
		i++
	}
	if i < len(r.data) && r.data[i] == '"' {
		r.pos = i + 1
		return r.data[start:i:i]
	}
	end, ok := r.stringEnd(i)
	if !ok {
		return nil
	}
	r.pos = end + 1
	if raw := r.data[start:end:end]; bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return raw
	}
	return r.unescape(start, end)
}

// skipString reads a string whose quote has been seen and drops it.
func (r *Reader) skipString() {
	if end, ok := r.stringEnd(r.pos + 1); ok {
		r.pos = end + 1
	}
}

// stringEnd returns where the closing quote of the string stands that goes on
// at i, having checked the bytes and escapes in between.
func (r *Reader) stringEnd(i int) (int, bool) {
	for i < len(r.data) {
		switch c := r.data[i]; {
		case c == '"':
			return i, true
		case c < 0x20:
			r.fail(i, "control character in a string")
			return 0, false
		case c != '\\':
			i++
		case i+1 >= len(r.data):
			i++ // the document ends
		case r.data[i+1] == 'u':
			if _, ok := hex4(r.data[i+2:]); !ok {
				r.fail(i, "malformed \\u escape")
				return 0, false
			}
			i += 6
		case unescaped[r.data[i+1]] != 0:
			i += 2
		default:
			r.fail(i, "unknown escape")
			return 0, false
		}
	}
	r.fail(len(r.data), "the document ends inside a string")
	return 0, false
}

// unescaped maps the byte behind a backslash to what the pair stands for.
var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// unescape returns what data[start:end], which stringEnd has checked, stands for.
func (r *Reader) unescape(start, end int) []byte {
	raw := r.data[start:end]
	out := make([]byte, 0, len(raw)+2*utf8.UTFMax)
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '\\' && raw[i+1] == 'u':
			ru, _ := hex4(raw[i+2:])
			i += 6
			if utf16.IsSurrogate(ru) {
				// Only a pair stands for a rune; a lone half is replaced.
				var low rune
				if i+1 < len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					low, _ = hex4(raw[i+2:])
				}
				if ru = utf16.DecodeRune(ru, low); ru != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, ru)
		case c == '\\':
			out = append(out, unescaped[raw[i+1]])
			i += 2
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			ru, size := utf8.DecodeRune(raw[i:])
			out = utf8.AppendRune(out, ru)
			i += size
		}
	}
	return out
}

// hex4 reads the four hexadecimal digits of a \u escape.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var v rune
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

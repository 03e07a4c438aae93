package jsonwire

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// AppendField appends a member's name and the colon, and before them a comma
// unless dst ends where an object begins. name is a constant in plain ASCII;
// it is not escaped.
func AppendField(dst []byte, name string) []byte {
	dst = AppendElem(dst)
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// AppendElem appends the comma before an element of an array, unless dst ends
// where a container begins.
func AppendElem(dst []byte) []byte {
	if n := len(dst); n > 0 {
		switch dst[n-1] {
		case '{', '[':
		default:
			return append(dst, ',')
		}
	}
	return dst
}

// AppendInt64 appends v as a number, which the gateway reads without loss and
// faster than a string.
func AppendInt64(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// AppendUint64 appends v as a number.
func AppendUint64(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// AppendQuotedInt64 appends v as a string, as protojson writes it.
func AppendQuotedInt64(dst []byte, v int64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, v, 10)
	return append(dst, '"')
}

// AppendBase64 appends b as a string of standard, padded base64.
func AppendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// AppendBase64String appends the bytes of s as a string of standard, padded
// base64.
func AppendBase64String(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(s)) // the compiler makes no copy
	return append(dst, '"')
}

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && plain[s[i]] {
			i++
		}
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			break
		}
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			i++
		default:
			ru, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, ru)
			i += size
		}
	}
	return append(dst, '"')
}

// AppendInt64Field appends a member with a number.
func AppendInt64Field(dst []byte, name string, v int64) []byte {
	return AppendInt64(AppendField(dst, name), v)
}

// AppendUint64Field appends a member with a number.
func AppendUint64Field(dst []byte, name string, v uint64) []byte {
	return AppendUint64(AppendField(dst, name), v)
}

// AppendBoolField appends a member with true or false.
func AppendBoolField(dst []byte, name string, v bool) []byte {
	return strconv.AppendBool(AppendField(dst, name), v)
}

// AppendStringField appends a member with a string.
func AppendStringField(dst []byte, name, v string) []byte {
	return AppendString(AppendField(dst, name), v)
}

// AppendBase64Field appends a member with bytes.
func AppendBase64Field(dst []byte, name string, v []byte) []byte {
	return AppendBase64(AppendField(dst, name), v)
}

// AppendBase64StringField appends a member with the bytes of v.
func AppendBase64StringField(dst []byte, name, v string) []byte {
	return AppendBase64String(AppendField(dst, name), v)
}

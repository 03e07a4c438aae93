// Package names turns what users call things into parts of keys, and back.
package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLen is how long a name may be, in bytes.
const MaxLen = 512

// Errors of names, for errors.Is.
var (
	// ErrEmpty: a name must not be empty.
	ErrEmpty = errors.New("the name is empty")
	// ErrTooLong: a name is longer than MaxLen bytes.
	ErrTooLong = fmt.Errorf("the name is longer than %d bytes", MaxLen)
)

// Prefix gives what keys below a prefix start with that a caller chose for itself,
// or says what is wrong with it.
func Prefix(raw string) (string, error) {
	switch {
	case raw == "":
		return "", errors.New("the prefix is empty")
	case len(raw) > MaxLen:
		return "", fmt.Errorf("the prefix is longer than %d bytes: it has %d", MaxLen, len(raw))
	}
	return raw + "/", nil
}

const hexDigits = "0123456789ABCDEF"

// Escape makes a key segment of any name that is neither empty nor longer than
// MaxLen bytes. The segment holds no "/", so that keys below one name never
// start with another's; different names give different segments. Letters,
// digits and most signs stay as they are, so that keys can be read; every
// other byte becomes %XX.
func Escape(name string) (string, error) {
	switch {
	case name == "":
		return "", ErrEmpty
	case len(name) > MaxLen:
		return "", fmt.Errorf("%w: it has %d", ErrTooLong, len(name))
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if plain(r, size) {
			b.WriteString(name[i : i+size])
		} else {
			for _, c := range []byte(name[i : i+size]) {
				b.WriteByte('%')
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		}
		i += size
	}
	return b.String(), nil
}

// plain reports whether a rune stays as it is.
func plain(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size <= 1:
		return false
	case r < utf8.RuneSelf:
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("-._~:@=,", r)
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// Unescape gives the name that Escape made a segment of. It refuses segments
// that Escape never makes.
func Unescape(segment string) (string, error) {
	bad := fmt.Errorf("%q is no escaped name", segment)
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		if segment[i] != '%' {
			b.WriteByte(segment[i])
			continue
		}
		if i+2 >= len(segment) {
			return "", bad
		}
		hi, lo := strings.IndexByte(hexDigits, segment[i+1]), strings.IndexByte(hexDigits, segment[i+2])
		if hi < 0 || lo < 0 {
			return "", bad
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	name := b.String()
	if again, err := Escape(name); err != nil || again != segment {
		return "", bad
	}
	return name, nil
}

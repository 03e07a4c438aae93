package etcd

import (
	"errors"
	"fmt"
)

// A KeySet names the keys an operation is about: one key, a range of keys, all
// keys with a prefix, or all keys. It is a plain value and is safe to share.
// The zero KeySet names nothing; using it is an error.
//
// Keys are strings of any bytes, ordered bytewise.
type KeySet struct {
	kind     setKind
	key, end string
}

type setKind uint8

const (
	setNone   setKind = iota
	setKey            // exactly key
	setRange          // key <= k < end
	setPrefix         // k starts with key
	setFrom           // key <= k
)

// Key names the single key k, which must not be empty.
func Key(k string) KeySet { return KeySet{kind: setKey, key: k} }

// Range names the keys k with from <= k < to. It is an error if from is not
// less than to.
func Range(from, to string) KeySet { return KeySet{kind: setRange, key: from, end: to} }

// Prefix names the keys that start with p. Prefix("") is All().
func Prefix(p string) KeySet { return KeySet{kind: setPrefix, key: p} }

// From names the keys that are equal to or greater than k.
func From(k string) KeySet { return KeySet{kind: setFrom, key: k} }

// All names every key (of the client's namespace, where it has one).
func All() KeySet { return KeySet{kind: setPrefix} }

// IsSingle reports whether s names exactly one key.
func (s KeySet) IsSingle() bool { return s.kind == setKey }

// String describes s for messages: "key", "[from, to)", "prefix*", "[from, ...)".
func (s KeySet) String() string {
	switch s.kind {
	case setKey:
		return quoteKey(s.key)
	case setRange:
		return "[" + quoteKey(s.key) + ", " + quoteKey(s.end) + ")"
	case setPrefix:
		if s.key == "" {
			return "all keys"
		}
		return quoteKey(s.key) + "*"
	case setFrom:
		return "[" + quoteKey(s.key) + ", ...)"
	}
	return "no keys"
}

// Contains reports whether key is one of the keys that s names.
func (s KeySet) Contains(key string) bool {
	if key == "" {
		return false
	}
	return s.span().contains(key)
}

// Overlaps reports whether some key is named by both s and t.
func (s KeySet) Overlaps(t KeySet) bool { return s.span().overlaps(t.span()) }

func (s KeySet) check() error {
	switch s.kind {
	case setNone:
		return errors.New("empty key set: use Key, Range, Prefix, From or All")
	case setKey:
		if s.key == "" {
			return errors.New("empty key")
		}
	case setRange:
		if s.span().empty() {
			return fmt.Errorf("range from %s to %s holds no key", quoteKey(s.key), quoteKey(s.end))
		}
	}
	return nil
}

// firstKey sorts before every other key: there is no empty one.
const firstKey = "\x00"

// wire gives the key and range_end that name s to the server, below the
// namespace ns. No set reaches out of its namespace: a range without an upper
// end is cut off where the namespace ends, and one that begins with the first
// key leaves out the key that is the namespace itself.
func (s KeySet) wire(ns string) (key, end string) {
	if s.kind == setKey {
		return ns + s.key, ""
	}
	switch s.kind {
	case setRange:
		end = ns + s.end
	case setPrefix:
		end = prefixEnd(ns + s.key)
	case setFrom:
		end = prefixEnd(ns)
	}
	if s.key == "" {
		return ns + firstKey, end
	}
	return ns + s.key, end
}

// prefixEnd gives the first key after all keys that start with p, or "\x00",
// which the server takes as "no upper end".
func prefixEnd(p string) string {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			return p[:i] + string([]byte{p[i] + 1})
		}
	}
	return "\x00"
}

// A span is a KeySet reduced to its bounds: lo <= k < hi, or no upper bound.
type span struct {
	lo, hi    string
	unbounded bool
}

func (s KeySet) span() span {
	lo := max(s.key, firstKey)
	switch s.kind {
	case setKey:
		return span{lo: lo, hi: s.key + "\x00"}
	case setRange:
		return span{lo: lo, hi: s.end}
	case setPrefix:
		hi := prefixEnd(s.key)
		return span{lo: lo, hi: hi, unbounded: hi == "\x00"}
	case setFrom:
		return span{lo: lo, unbounded: true}
	}
	return span{}
}

func (s span) empty() bool { return !s.unbounded && s.hi <= s.lo }

func (s span) contains(k string) bool {
	return s.lo <= k && (s.unbounded || k < s.hi)
}

func (s span) overlaps(t span) bool {
	if s.empty() || t.empty() {
		return false
	}
	return (s.unbounded || t.lo < s.hi) && (t.unbounded || s.lo < t.hi)
}

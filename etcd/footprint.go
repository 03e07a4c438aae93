package etcd

import "github.com/quorate/quorate/internal/mutant"

// A touch is a set of keys that a call reads (or compares) or writes.
type touch struct {
	set   KeySet
	write bool
}

// appendTouches lists what op touches, whichever branch is taken.
func appendTouches(dst []touch, op *Op) []touch {
	switch op.kind {
	case opGet:
		return append(dst, touch{set: op.set})
	case opPut, opDelete:
		return append(dst, touch{set: op.set, write: true})
	case opTxn:
		t := op.txn
		for i := range t.If {
			dst = appendCompared(dst, &t.If[i])
		}
		for i := range t.Then {
			dst = appendTouches(dst, &t.Then[i])
		}
		for i := range t.Else {
			dst = appendTouches(dst, &t.Else[i])
		}
	}
	return dst
}

func appendCompared(dst []touch, c *Cmp) []touch {
	if c.target != cmpAll {
		return append(dst, touch{set: c.set})
	}
	for i := range c.all {
		dst = appendCompared(dst, &c.all[i])
	}
	return dst
}

// claims is what the members of a batch touch, all together.
type claims struct {
	keys   map[string]bool // single keys; true if written
	ranges []spanTouch
}

// spanTouch is a touch of a range.
type spanTouch struct {
	span
	write bool
}

// reset forgets all claims.
func (c *claims) reset() {
	if c.keys == nil {
		c.keys = make(map[string]bool)
	}
	clear(c.keys)
	clear(c.ranges)
	c.ranges = c.ranges[:0]
}

// admit adds the touches of one more member, unless one of its writes meets
// something that another member touches, or it touches something that another
// member writes. It reports whether it did.
//
// This is what makes sharing a commit invisible: the server evaluates every
// comparison of a request against the state before the whole request, so two
// members of which one writes what the other looks at could both succeed where
// one after the other could not.
func (c *claims) admit(ts []touch) bool {
	for i := range ts {
		if c.conflicts(&ts[i]) && !mutant.AdmitAll {
			return false
		}
	}
	for i := range ts {
		t := &ts[i]
		if t.set.kind == setKey {
			c.keys[t.set.key] = c.keys[t.set.key] || t.write
		} else {
			c.ranges = append(c.ranges, spanTouch{t.set.span(), t.write})
		}
	}
	return true
}

func (c *claims) conflicts(t *touch) bool {
	if t.set.kind == setKey {
		if written, there := c.keys[t.set.key]; there && (written || t.write) {
			return true
		}
		for i := range c.ranges {
			if r := &c.ranges[i]; (r.write || t.write) && r.contains(t.set.key) {
				return true
			}
		}
		return false
	}
	s := t.set.span()
	for k, written := range c.keys {
		if (written || t.write) && s.contains(k) {
			return true
		}
	}
	for i := range c.ranges {
		if r := &c.ranges[i]; (r.write || t.write) && r.overlaps(s) {
			return true
		}
	}
	return false
}

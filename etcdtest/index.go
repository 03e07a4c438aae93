package etcdtest

import "slices"

// history is every stored version of one key, oldest first. A version with
// Version 0 is a tombstone.
type history struct {
	key  string
	vers []*KeyValue
}

// at returns the key as it was at rev, or nil where it did not exist then.
func (h *history) at(rev int64) *KeyValue {
	for i := len(h.vers) - 1; i >= 0; i-- {
		if kv := h.vers[i]; kv.ModRevision <= rev {
			if kv.Version == 0 {
				return nil
			}
			return kv
		}
	}
	return nil
}

// chunkSize bounds one chunk of an index, so that an insert moves few entries.
const chunkSize = 512

// index keeps histories in key order as a list of sorted chunks. No chunk is
// empty.
type index struct {
	chunks [][]*history
	byKey  map[string]*history
}

// get returns the history of key, or nil.
func (x *index) get(key string) *history { return x.byKey[key] }

// seek returns the position of the first entry whose key is not below key.
func (x *index) seek(key string) (chunk, pos int) {
	chunk, found := slices.BinarySearchFunc(x.chunks, key, func(c []*history, k string) int {
		return compareStrings(c[0].key, k)
	})
	if found {
		return chunk, 0
	}
	if chunk == 0 {
		return 0, 0
	}
	chunk--
	pos, _ = slices.BinarySearchFunc(x.chunks[chunk], key, func(h *history, k string) int {
		return compareStrings(h.key, k)
	})
	if pos == len(x.chunks[chunk]) {
		return chunk + 1, 0
	}
	return chunk, pos
}

// ensure returns the history of key and creates an empty one where none is.
func (x *index) ensure(key string) *history {
	if h := x.byKey[key]; h != nil {
		return h
	}
	if x.byKey == nil {
		x.byKey = make(map[string]*history)
	}
	h := &history{key: key}
	x.byKey[key] = h
	if len(x.chunks) == 0 {
		x.chunks = append(x.chunks, []*history{h})
		return h
	}
	c, p := x.seek(key)
	if p == 0 && c > 0 {
		// Appending to the chunk before keeps chunks full when keys grow.
		c--
		p = len(x.chunks[c])
	}
	x.chunks[c] = slices.Insert(x.chunks[c], p, h)
	if n := len(x.chunks[c]); n > chunkSize {
		tail := slices.Clone(x.chunks[c][n/2:])
		x.chunks[c] = slices.Clip(x.chunks[c][:n/2])
		x.chunks = slices.Insert(x.chunks, c+1, tail)
	}
	return h
}

// scan calls f for every history in span, in key order, until it returns false.
func (x *index) scan(sp span, f func(*history) bool) {
	if sp.single() {
		if h := x.byKey[sp.key]; h != nil {
			f(h)
		}
		return
	}
	c, p := x.seek(sp.key)
	for ; c < len(x.chunks); c, p = c+1, 0 {
		for _, h := range x.chunks[c][p:] {
			if !sp.openEnded() && h.key >= sp.end {
				return
			}
			if !f(h) {
				return
			}
		}
	}
}

// keep drops every history for which f returns false.
func (x *index) keep(f func(*history) bool) {
	chunks := x.chunks[:0]
	for _, c := range x.chunks {
		c = slices.DeleteFunc(c, func(h *history) bool {
			if f(h) {
				return false
			}
			delete(x.byKey, h.key)
			return true
		})
		if len(c) > 0 {
			chunks = append(chunks, c)
		}
	}
	clear(x.chunks[len(chunks):])
	x.chunks = chunks
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

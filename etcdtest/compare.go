package etcdtest

import (
	"bytes"
	"cmp"
)

// holds says whether every compare holds in the store as it is now.
func (st *store) holds(cs []compareRequest) bool {
	for i := range cs {
		if !st.compareHolds(&cs[i]) {
			return false
		}
	}
	return true
}

// compareHolds evaluates one compare. Over a range it must hold for every key
// that is there. Where none is, the compare is made once against zero values,
// but one of values fails: an absent value can't be told from an empty one.
func (st *store) compareHolds(c *compareRequest) bool {
	found, ok := false, true
	st.visible(c.span, st.rev, func(kv *KeyValue) bool {
		found = true
		ok = c.matches(kv)
		return ok
	})
	if found {
		return ok
	}
	return c.target != 3 && c.matches(&KeyValue{})
}

func (c *compareRequest) matches(kv *KeyValue) bool {
	// A value given for another target than the one compared counts as unset.
	number, value := c.number, c.value
	if c.union != c.target {
		number, value = 0, nil
	}
	var r int
	switch c.target {
	case 0:
		r = cmp.Compare(kv.Version, number)
	case 1:
		r = cmp.Compare(kv.CreateRevision, number)
	case 2:
		r = cmp.Compare(kv.ModRevision, number)
	case 3:
		r = bytes.Compare(kv.Value, value)
	case 4:
		r = cmp.Compare(kv.Lease, number)
	}
	switch c.result {
	case 0:
		return r == 0
	case 1:
		return r > 0
	case 2:
		return r < 0
	case 3:
		return r != 0
	}
	return true
}

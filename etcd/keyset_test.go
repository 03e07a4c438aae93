package etcd

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// names is what a key set means, said in the plainest way.
func names(s KeySet, k string) bool {
	if k == "" {
		return false // there is no empty key
	}
	switch s.kind {
	case setKey:
		return k == s.key
	case setRange:
		return s.key <= k && k < s.end
	case setPrefix:
		return strings.HasPrefix(k, s.key)
	case setFrom:
		return s.key <= k
	}
	return false
}

// serverNames is what the server takes key and range_end to mean.
func serverNames(key, end, k string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return key <= k
	}
	return key <= k && k < end
}

// setOf makes a set of any kind, the invalid ones included.
func setOf(kind uint8, a, b string) KeySet {
	switch kind % 6 {
	case 0:
		return Key(a)
	case 1:
		return Range(a, b)
	case 2:
		return Prefix(a)
	case 3:
		return From(a)
	case 4:
		return All()
	}
	return KeySet{}
}

// around gives keys near the bounds of sets: where mistakes show.
func around(bounds ...string) []string {
	var out []string
	for _, b := range bounds {
		out = append(out, b, b+"\x00", b+"\xff", b+"\xff\xff", b+"a")
		if b != "" {
			last := b[len(b)-1]
			out = append(out, b[:len(b)-1], b[:len(b)-1]+string([]byte{last + 1}), b[:len(b)-1]+string([]byte{last - 1}), b[:len(b)-1]+string([]byte{last - 1, 0xff}))
		}
	}
	return out
}

// checkSets holds two sets against their plain meaning.
func checkSets(t *testing.T, ns string, s, u KeySet, probe string) {
	keys := append(around(s.key, s.end, u.key, u.end, probe), "\x00", "\xff")
	for _, k := range keys {
		if got, want := s.Contains(k), names(s, k); got != want {
			t.Fatalf("%v.Contains(%q) = %v", s, k, got)
		}
	}
	// Two intervals that share a key share the greater of their first ones.
	both := false
	for _, k := range []string{max(s.key, firstKey), max(u.key, firstKey)} {
		both = both || names(s, k) && names(u, k)
	}
	if s.Overlaps(u) != both || u.Overlaps(s) != both {
		t.Fatalf("%v.Overlaps(%v) = %v, %v the other way round; want %v", s, u, s.Overlaps(u), u.Overlaps(s), both)
	}
	valid := s.check() == nil
	if holds := s.Overlaps(s); valid != holds {
		t.Fatalf("%v is valid: %v; it names some key: %v", s, valid, holds)
	}
	if !valid {
		return
	}
	key, end := s.wire(ns)
	if key == "" {
		t.Fatalf("%v has an empty key on the wire", s)
	}
	for _, k := range append(keys, around(ns, prefixEnd(ns))...) {
		for _, raw := range []string{k, ns + k} {
			inside := strings.HasPrefix(raw, ns) && names(s, raw[len(ns):])
			if raw != "" && serverNames(key, end, raw) != inside {
				t.Fatalf("%v in namespace %q is %q to %q, which names %q: %v", s, ns, key, end, raw, !inside)
			}
		}
	}
	if rest, more := s.after(probe); s.kind != setKey && names(s, probe) {
		for _, k := range keys {
			if want := names(s, k) && k > probe; k != "" && (more && names(rest, k)) != want {
				t.Fatalf("what of %v comes after %q: %v, which names %q: %v", s, probe, rest, k, !want)
			}
		}
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add("n/", uint8(1), "a", "b", uint8(2), "a\xff", "", "a")
	f.Add("", uint8(1), "", "\x00", uint8(4), "", "", "\x00")
	f.Add("\xff\xff", uint8(3), "", "", uint8(2), "\xff", "", "\xff\xff")
	f.Add("n\xff", uint8(2), "\xff\xff", "", uint8(0), "\xff\xff\x00", "", "")
	f.Fuzz(func(t *testing.T, ns string, k1 uint8, a1, b1 string, k2 uint8, a2, b2 string, probe string) {
		checkSets(t, ns, setOf(k1, a1, b1), setOf(k2, a2, b2), probe)
	})
}

// randomKey gives a short key of bytes that are likely to collide.
func randomKey(r *rand.Rand) string {
	alphabet := "\x00\x01ab/\xfe\xff"
	b := make([]byte, r.IntN(4))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func TestKeySetsMeanWhatTheySayInAnyNamespace(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		checkSets(t, randomKey(r), setOf(uint8(r.IntN(6)), randomKey(r), randomKey(r)), setOf(uint8(r.IntN(6)), randomKey(r), randomKey(r)), randomKey(r))
	}
}

func TestNoOperationReachesOutOfItsNamespace(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	set := func() KeySet { return setOf(uint8(r.IntN(5)), randomKey(r), randomKey(r)) }
	var op func(depth int) Op
	txn := func(depth int) Txn {
		var x Txn
		for range r.IntN(3) {
			x.If = append(x.If, AllOf(Missing(set())), IfValue(set(), Less, nil))
			x.Then = append(x.Then, op(depth+1))
			x.Else = append(x.Else, op(depth+1))
		}
		return x
	}
	op = func(depth int) Op {
		switch n := r.IntN(4); {
		case n == 0 && depth < 4:
			return Nest(txn(depth))
		case n == 1:
			return Put("x"+randomKey(r), nil)
		case n == 2:
			return Delete(set())
		}
		return Get(set())
	}
	tried := 0
	for tried < 5000 {
		o := op(0)
		if o.check(0) != nil {
			continue
		}
		tried++
		ns := "n" + randomKey(r)
		var w wireOp
		readStrictly(t, appendRequestOp(nil, ns, &o), &w)
		requireInside(t, ns, &w)
	}
}

// requireInside fails where a message names a key outside the namespace.
func requireInside(t *testing.T, ns string, w *wireOp) {
	inside := func(key, end []byte) {
		require.True(t, strings.HasPrefix(string(key), ns) && string(key) != ns, "key %q", key)
		if len(end) == 0 {
			return
		}
		// The last key before end must be inside too: end is, or ends, the namespace.
		require.True(t, strings.HasPrefix(string(end), ns) || string(end) == prefixEnd(ns), "range end %q", end)
		require.NotEqual(t, "\x00", string(end))
	}
	switch {
	case w.Range != nil:
		inside(w.Range.Key, w.Range.RangeEnd)
	case w.Put != nil:
		inside(w.Put.Key, nil)
	case w.Delete != nil:
		inside(w.Delete.Key, w.Delete.RangeEnd)
	case w.Txn != nil:
		for _, c := range w.Txn.Compare {
			inside(c.Key, c.RangeEnd)
		}
		for i := range w.Txn.Success {
			requireInside(t, ns, &w.Txn.Success[i])
		}
		for i := range w.Txn.Failure {
			requireInside(t, ns, &w.Txn.Failure[i])
		}
	}
}

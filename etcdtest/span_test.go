package etcdtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrefixSpansAreThoseThatHoldWhatBeginsWithTheirKey(t *testing.T) {
	for sp, want := range map[span]bool{
		{"a", "b"}:             true,
		{"a/", "a0"}:           true,
		{"a\xff", "b"}:         true,
		{"\xff", "\x00"}:       true,
		{"a", "\x00"}:          false,
		{"a", "a"}:             false,
		{"a", ""}:              false,
		{"a", "c"}:             false,
		{"a\xff", "a\xff\xff"}: false,
		{"\x00", "\x00"}:       false,
	} {
		require.Equal(t, want, sp.prefix(), "%q", sp)
	}
}

// TestTheIndexScansLikeASortedList compares scans with a plain sorted list,
// over enough keys for many chunks.
func TestTheIndexScansLikeASortedList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x index
	var want []string
	for range 5000 {
		k := fmt.Sprint(r.IntN(100_000))
		x.ensure(k).vers = []*KeyValue{{Key: k, Version: 1}}
		want = append(want, k)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	check := func() {
		t.Helper()
		for range 200 {
			sp := span{fmt.Sprint(r.IntN(100_000)), fmt.Sprint(r.IntN(100_000))}
			if r.IntN(10) == 0 {
				sp.end = "\x00"
			}
			var got, expect []string
			x.scan(sp, func(h *history) bool { got = append(got, h.key); return true })
			for _, k := range want {
				if sp.contains(k) {
					expect = append(expect, k)
				}
			}
			require.Equal(t, expect, got, "%q", sp)
		}
	}
	check()
	drop := func(k string) bool { return k[len(k)-1] == '7' }
	x.keep(func(h *history) bool { return !drop(h.key) })
	want = slices.DeleteFunc(want, drop)
	check()
	require.Nil(t, x.get("7"))
}

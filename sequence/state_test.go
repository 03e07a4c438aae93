package sequence

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// model does with big numbers, one step at a time, what state does in int64.
func model(s state, n int) (numbers []int64, ok bool) {
	cur, used := big.NewInt(s.last), s.used
	lo, hi := big.NewInt(s.cfg.Min), big.NewInt(s.cfg.Max)
	for range n {
		if !used {
			cur, used = big.NewInt(s.cfg.Start), true
		} else {
			cur = new(big.Int).Add(cur, big.NewInt(s.cfg.Step))
		}
		if cur.Cmp(lo) < 0 || cur.Cmp(hi) > 0 {
			if !s.cfg.Cycle {
				return nil, false
			}
			cur = big.NewInt(s.cfg.origin())
		}
		numbers = append(numbers, cur.Int64())
	}
	return numbers, true
}

// extreme gives numbers of which many are next to the limits.
func extreme(r *rand.Rand) int64 {
	near := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 / 2, math.MinInt64 / 2, 100}
	n := near[r.IntN(len(near))]
	switch r.IntN(4) {
	case 0:
		return n + r.Int64N(20) - 10 // may wrap around, which is as good
	case 1:
		return r.Int64() - r.Int64()
	}
	return n + r.Int64N(3)
}

func TestTakingIsWhatAddingOneStepAfterTheOtherWouldGive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	valid, refused, wrapped := 0, 0, 0
	for range 200_000 {
		c := Config{Start: extreme(r), Step: extreme(r), Min: extreme(r), Max: extreme(r), Cycle: r.IntN(2) == 0}
		if r.IntN(2) == 0 { // a small one
			c.Min = extreme(r)
			c.Max = c.Min + r.Int64N(30)
			c.Start = c.Min + r.Int64N(30)
			c.Step = r.Int64N(9) - 4
		}
		if c.check() != nil {
			continue
		}
		valid++
		s := state{cfg: c}
		if r.IntN(3) > 0 {
			s.used = true
			s.last = c.Min
			if span := uint64(c.Max) - uint64(c.Min); span > 0 {
				s.last = int64(uint64(c.Min) + r.Uint64N(span))
			}
			if r.IntN(3) == 0 {
				s.last = c.Max
			}
		}
		n := 1 + r.IntN(40)
		want, ok := model(s, n)
		if c.Cycle && uint64(n) > c.from(c.origin()) {
			ok = false // a range holds no number twice
		}
		got, after, err := s.take(uint64(n))
		if !ok {
			require.ErrorIs(t, err, ErrExhausted, "%+v take %d", s, n)
			require.Equal(t, s, after)
			refused++
			continue
		}
		require.NoError(t, err, "%+v take %d", s, n)
		require.Equal(t, want, slices.Collect(got.All()), "%+v take %d", s, n)
		require.EqualValues(t, n, got.Len())
		require.Equal(t, want[0], got.First())
		require.Equal(t, want[n-1], got.Last())
		require.Equal(t, s.at(want[n-1]), after)
		if got.straight < got.n {
			wrapped++
		}
		require.Len(t, uniq(want), n)
	}
	require.Greater(t, valid, 50_000)
	require.Greater(t, refused, 1000)
	require.Greater(t, wrapped, 1000)
}

func uniq(n []int64) []int64 {
	n = slices.Clone(n)
	slices.Sort(n)
	return slices.Compact(n)
}

func TestTheWholeOfInt64CanBeCounted(t *testing.T) {
	s := state{cfg: Config{Start: math.MinInt64, Step: 1, Min: math.MinInt64, Max: math.MaxInt64}}
	require.EqualValues(t, uint64(math.MaxUint64), s.left())
	r, s, err := s.take(math.MaxInt64)
	require.NoError(t, err)
	require.EqualValues(t, -2, r.Last())
	r, s, err = s.take(math.MaxInt64)
	require.NoError(t, err)
	require.EqualValues(t, math.MaxInt64-2, r.Last())
	_, _, err = s.take(3)
	require.ErrorIs(t, err, ErrExhausted)
	r, s, err = s.take(2)
	require.NoError(t, err)
	require.EqualValues(t, math.MaxInt64, r.Last())
	require.Zero(t, s.left())

	down := state{cfg: Config{Start: math.MaxInt64, Step: math.MinInt64, Min: math.MinInt64, Max: math.MaxInt64}}
	r, down, err = down.take(2)
	require.NoError(t, err)
	require.Equal(t, []int64{math.MaxInt64, -1}, slices.Collect(r.All()))
	_, _, err = down.take(1)
	require.ErrorIs(t, err, ErrExhausted)
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	for _, s := range []state{
		{cfg: Config{Start: 1, Step: 1, Min: 1, Max: math.MaxInt64}},
		{cfg: Config{Start: -1, Step: math.MinInt64, Min: math.MinInt64, Max: 0, Cycle: true}, used: true, last: math.MinInt64},
		{cfg: Config{Start: 0, Step: 1, Min: 0, Max: 9}, used: true},
	} {
		got, nonce, err := decode(kvOf(string(encode(s, "me.1"))))
		require.NoError(t, err)
		require.Equal(t, "me.1", nonce)
		require.Equal(t, s, got)
	}
	require.Equal(t, `{"version":1,"last":"7","start":"1","step":"1","min":"1","max":"9","cycle":false,"nonce":"me.2"}`,
		string(encode(state{cfg: Config{Start: 1, Step: 1, Min: 1, Max: 9}, used: true, last: 7}, "me.2")))
}

func TestValuesThatAreNoRecordAreRefused(t *testing.T) {
	for _, v := range []string{
		"", "17", "null", "{}", `"x"`, "\xff\x00", "[1]",
		`{"version":2,"start":"1","step":"1","min":"1","max":"9","cycle":false,"nonce":""}`,
		`{"version":1,"start":"1","step":"0","min":"1","max":"9","cycle":false,"nonce":""}`,
		`{"version":1,"start":"1","step":"1","min":"9","max":"1","cycle":false,"nonce":""}`,
		`{"version":1,"start":"1","step":"1","min":"1","max":"9","cycle":false,"nonce":"","colour":"red"}`,
		`{"version":1,"last":"10","start":"1","step":"1","min":"1","max":"9","cycle":false,"nonce":""}`,
		`{"version":1,"last":"99999999999999999999","start":"1","step":"1","min":"1","max":"9","cycle":false,"nonce":""}`,
		`{"version":1,"last":7,"start":"1","step":"1","min":"1","max":"9","cycle":false,"nonce":""}`,
	} {
		_, _, err := decode(kvOf(v))
		require.ErrorIs(t, err, ErrForeign, v)
		require.ErrorContains(t, err, `"a/key"`)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(state{cfg: Config{Start: 1, Step: 1, Min: 1, Max: 9}, used: true, last: 7}, "n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, nonce, err := decode(kvOf(string(b)))
		if err != nil {
			return
		}
		again, n, err := decode(kvOf(string(encode(s, nonce))))
		if err != nil || again != s || n != nonce {
			t.Fatalf("%+v %q became %+v %q: %v", s, nonce, again, n, err)
		}
		_, _, _ = s.take(1)
	})
}

package queue

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizeMarksAreNeverTooSmallAndAlwaysFew(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s sizes
		var real []int64
		for range r.IntN(60) {
			n := int64(1) << r.IntN(21)
			s = s.with(3, int64(len(real)), n)
			s = s.with(4, int64(len(real)), 1000) // of another priority
			for range 1 + r.IntN(50) {
				real = append(real, n)
			}
		}
		require.LessOrEqual(t, len(s), maxMarks+1)
		if len(real) == 0 {
			continue
		}
		from := int64(r.IntN(len(real)))
		n := s.fit(3, []run{{from, int64(len(real))}}, 1000)
		require.GreaterOrEqual(t, n, int64(1))
		require.LessOrEqual(t, n, min(1000, int64(len(real))-from))
		sum := int64(0)
		for _, b := range real[from : from+n] {
			sum += b
		}
		if n > 1 {
			require.LessOrEqual(t, sum, int64(maxClaimBytes))
		}
	}
}

func TestSizeClassesRoundUpByAFactorOfFourAtMost(t *testing.T) {
	for n := int64(1); n < 3<<20; n = n*9/8 + 1 {
		c := sizeClass(n)
		require.GreaterOrEqual(t, c, n)
		require.Less(t, c, max(4*n, 257), n)
	}
	require.EqualValues(t, 256, sizeClass(1))
	require.EqualValues(t, 1<<20, sizeClass(1<<20))
}

func TestSmallJobsAreClaimedByTheThousandAndLargeOnesByTheBytes(t *testing.T) {
	var s sizes
	s = s.with(0, 0, 100)
	s = s.with(0, 5000, 1<<20)
	s = s.with(0, 5100, 200)
	require.EqualValues(t, 1000, s.fit(0, []run{{0, 6000}}, 1000))
	require.EqualValues(t, 8, s.fit(0, []run{{5000, 6000}}, 1000))
	require.EqualValues(t, 500, s.fit(0, []run{{5100, 6000}}, 500))
	require.EqualValues(t, 10, s.fit(0, []run{{5000, 5002}, {5100, 5108}}, 1000))
	require.EqualValues(t, 1, s.fit(9, []run{{0, 1}}, 1000), "nothing known of it")
}

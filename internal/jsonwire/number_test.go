package jsonwire

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIntegersAreReadAsNumbersAndAsStrings(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 42, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		for _, doc := range []string{fmt.Sprint(n), fmt.Sprintf(`"%d"`, n)} {
			r := NewReader([]byte(doc))
			require.Equal(t, n, r.Int64())
			require.NoError(t, r.End())
			r.Reset([]byte(doc))
			if got := r.Int32(); int64(int32(n)) == n {
				require.EqualValues(t, n, got)
				require.NoError(t, r.End())
			} else {
				require.Error(t, r.End())
			}
		}
	}
	r := NewReader([]byte(`["18446744073709551615",18446744073709551615]`))
	for range r.Array {
		require.EqualValues(t, uint64(math.MaxUint64), r.Uint64())
	}
	require.NoError(t, r.End())
}

func TestWhatIsNoIntegerInRangeIsAnError(t *testing.T) {
	for _, doc := range []string{
		``, `-`, `""`, `"-"`, `01`, `"00"`, `-01`, `1.0`, `1e2`, `1E2`, `"1.0"`, `"1`, `"1 "`, `" 1"`, `"+1"`, `+1`,
		`"\u0031"`, `true`, `{}`, `9223372036854775808`, `-9223372036854775809`, `18446744073709551616`, `99999999999999999999999`,
	} {
		r := NewReader([]byte(doc))
		require.Zero(t, r.Int64(), doc)
		require.Error(t, r.End(), doc)
	}
	for _, doc := range []string{`1 2`, `1_0`, `0x1`, `"1"2`} {
		r := NewReader([]byte(doc))
		r.Int64()
		require.Error(t, r.End(), doc)
	}
	for _, doc := range []string{`-1`, `"-1"`, `18446744073709551616`} {
		r := NewReader([]byte(doc))
		require.Zero(t, r.Uint64(), doc)
		require.Error(t, r.End(), doc)
	}
}

func TestEnumsAreReadByNameAndByNumber(t *testing.T) {
	names := []string{"PUT", "DELETE"}
	for doc, want := range map[string]int32{`"PUT"`: 0, `"DELETE"`: 1, `"D\u0045LETE"`: 1, `1`: 1, `"1"`: 1, `77`: 77, `-3`: -3} {
		r := NewReader([]byte(doc))
		require.Equal(t, want, r.Enum(names), doc)
		require.NoError(t, r.End(), doc)
	}
	for _, doc := range []string{`"put"`, `""`, `"PUT`, `true`, `1.5`} {
		r := NewReader([]byte(doc))
		require.Zero(t, r.Enum(names), doc)
		require.Error(t, r.End(), doc)
	}
}

func TestNumbersOfEveryFormAreSkipped(t *testing.T) {
	for _, doc := range []string{`0`, `-0`, `12`, `1.5`, `-1.25e+10`, `1E-2`, `0e0`} {
		r := NewReader([]byte(doc))
		r.Skip()
		require.NoError(t, r.End(), doc)
		require.Equal(t, len(doc), r.Offset())
	}
	for _, doc := range []string{``, `-`, `01`, `1.`, `.5`, `1e`, `1e+`, `+1`, `-x`, `NaN`} {
		r := NewReader([]byte(doc))
		r.Skip()
		require.Error(t, r.End(), doc)
	}
}

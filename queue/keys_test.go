package queue

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTimeOfAnyKeyIsTheLastOneThatSortsInFrontOfIt(t *testing.T) {
	const chars = "\x00-/0189:@AZ_afgz\xff"
	for range 20000 {
		key := hex16(rand.Int64N(never))[:rand.IntN(17)]
		for range rand.IntN(5) {
			key += string(chars[rand.IntN(len(chars))])
		}
		at := timeOf("later/", "later/"+key)
		if at > 0 {
			require.LessOrEqual(t, hex16(at), key, "%q", key)
		}
		if at != never {
			require.Less(t, key, hex16(at+1), "%q", key)
		}
	}
	require.Zero(t, timeOf("later/", "later/"))
	require.Zero(t, timeOf("later/", "later/0-somebody-elses"))
	require.EqualValues(t, int64(never), timeOf("later/", "later/zzz"))
	require.EqualValues(t, int64(never), timeOf("later/", "later/ffffffffffffffff-x"))
	require.EqualValues(t, 0x19b76da9000, timeOf("later/", "later/0000019b76da9000-t-1-x"))
}

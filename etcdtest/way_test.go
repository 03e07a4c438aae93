package etcdtest

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsWrittenToALineWithLatencyArrivesInOrderAndInItsTime(t *testing.T) {
	const most = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(addr("a"), addr("b"), most)
		begun := time.Now()
		for i := range 50 {
			_, err := a.Write([]byte{byte(i), byte(i)})
			require.NoError(t, err)
		}
		require.NoError(t, a.Close())
		require.Zero(t, time.Since(begun), "who writes does not wait")
		got, err := io.ReadAll(b)
		require.NoError(t, err, "what was written arrives although the line is closed")
		require.Len(t, got, 100)
		for i, c := range got {
			require.EqualValues(t, i/2, c)
		}
		require.Greater(t, time.Since(begun), most/2)
		require.LessOrEqual(t, time.Since(begun), most)
	})
}

func TestWithLineLatencyTheMessagesOfAWatchTakeTheirTimeToo(t *testing.T) {
	const most = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := Start(t, WithLineLatency(most))
		c := newClient(t, s)
		ws := c.watch(obj{"create_request": obj{"key": b64("k")}})
		ws.next()
		var sum time.Duration
		for range 50 {
			start := time.Now()
			s.Put("k", nil)
			ws.next()
			took := time.Since(start)
			require.LessOrEqual(t, took, most)
			sum += took
		}
		require.InDelta(t, 50*most/2, sum, float64(50*most/4), "on the average one half")
	})
}

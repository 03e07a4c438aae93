package etcdtest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsWrittenToALineWithLatencyArrivesInOrderAndInItsTime(t *testing.T) {
	const most = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe(addr("a"), addr("b"), most, most)
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

func TestALineMayTakeTimeInOneDirectionAlone(t *testing.T) {
	const most = 10 * time.Millisecond
	for name, test := range map[string]struct{ to, from time.Duration }{
		"to the server":   {most, 0},
		"from the server": {0, most},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := Start(t, WithLineLatencies(test.to, test.from))
				c, err := s.Dial(t.Context(), "tcp", strings.TrimPrefix(s.URLs()[0], "http://"))
				require.NoError(t, err)
				defer c.Close()
				begun := time.Now()
				const n = 50
				body := `{"key":"aw=="}`
				for range n {
					_, err = fmt.Fprintf(c, "POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
					require.NoError(t, err)
				}
				for s.Requests()["/v3/kv/put"] < n {
					time.Sleep(time.Millisecond / 10)
				}
				there := time.Since(begun)
				back := bufio.NewReader(c)
				for range n {
					resp, err := http.ReadResponse(back, nil)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
				}
				if test.to > 0 {
					require.Greater(t, there, most/2)
					require.Less(t, time.Since(begun)-there, most/10)
				} else {
					require.Less(t, there, most/10)
					require.Greater(t, time.Since(begun)-there, most/2)
				}
			})
		})
	}
}

package etcdtest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFiltersDropEventsAndEmptyMessages(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	puts := c.watch(obj{"create_request": obj{"key": b64("a"), "filters": []string{"NODELETE"}}})
	dels := c.watch(obj{"create_request": obj{"key": b64("a"), "filters": []any{0}}})
	require.Equal(t, true, puts.next()["created"])
	require.Equal(t, true, dels.next()["created"])
	s.Put("a", []byte("1"))
	s.Delete("a")
	s.Put("a", []byte("2"))
	s.Delete("a")
	require.Equal(t, []string{"+a=1@2"}, puts.events())
	require.Equal(t, []string{"+a=2@4"}, puts.events())
	require.Equal(t, []string{"-a@3"}, dels.events())
	require.Equal(t, []string{"-a@5"}, dels.events())
}

func TestProgressIsAnsweredOnlyWhileAllWatchesOfAStreamAreCaughtUp(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		for range 4 {
			s.Put("a", nil)
		}
		require.NoError(t, s.Compact(4))
		ws := c.socket(t)
		defer ws.conn.CloseNow()
		ws.send(obj{"create_request": obj{"key": b64("a")}})
		ws.send(obj{"create_request": obj{"key": b64("a"), "start_revision": "2"}})
		ws.send(obj{"progress_request": obj{}}) // not answered: one is catching up
		require.Equal(t, true, ws.next()["created"])
		require.Equal(t, "1", ws.next()["watch_id"])
		end := ws.next()
		require.Equal(t, "4", end["compact_revision"])

		ws.send(obj{"progress_request": obj{}}) // not answered: the cancelled one still counts
		ws.send(obj{"cancel_request": obj{"watch_id": "1"}})
		require.Equal(t, obj{"watch_id": "1", "canceled": true}, without(ws.next(), "header"))
		ws.send(obj{"progress_request": obj{}})
		require.Equal(t, obj{"watch_id": "-1"}, without(ws.next(), "header"))

		ws.send(obj{"create_request": obj{"key": b64("a"), "start_revision": "100"}})
		require.Equal(t, true, ws.next()["created"])
		ws.send(obj{"progress_request": obj{}}) // not answered: one begins in the future
		s.Put("a", nil)
		require.Len(t, ws.next()["events"], 1)
	})
}

func without(o obj, field string) obj {
	delete(o, field)
	return o
}

func TestProgressIsReportedToThoseWhoAskForIt(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		start := time.Now()
		w := c.watch(obj{"create_request": obj{"key": b64("a"), "progress_notify": true}},
			obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		require.Equal(t, true, w.next()["created"])
		s.Put("b", nil)
		p := w.next()
		require.Equal(t, 10*time.Minute, time.Since(start))
		require.Equal(t, "2", revision(p))
		require.NotContains(t, p, "watch_id")
		require.NotContains(t, p, "events")
	})
}

func TestALongCatchUpComesInRounds(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		for range 2*maxBatchRevisions + 1 {
			s.Put("a", nil)
		}
		start := time.Now()
		w := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "2"}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		for i, n := range []int{maxBatchRevisions, maxBatchRevisions, 1} {
			require.Len(t, w.next()["events"], n)
			require.Equal(t, time.Duration(i+1)*resyncPeriod, time.Since(start))
		}
	})
}

func TestPromptCatchUpWaitsForNoRound(t *testing.T) {
	s := Start(t, WithPromptCatchUp())
	c := newClient(t, s)
	s.Put("a", []byte("1"))
	w := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "2"}})
	require.Equal(t, true, w.next()["created"])
	require.Equal(t, []string{"+a=1@2"}, w.events())
}

func TestALargeRevisionIsSplitForThoseWhoAskForIt(t *testing.T) {
	s := Start(t, WithMaxRequestBytes(10_000))
	c := newClient(t, s)
	for i := range 30 {
		s.Put(fmt.Sprintf("k%02d", i), []byte(strings.Repeat("x", 1000)))
	}
	create := obj{"key": b64("k"), "range_end": b64("l"), "start_revision": "2"}
	whole := c.watch(obj{"create_request": create})
	require.Equal(t, true, whole.next()["created"])
	require.Len(t, whole.next()["events"], 30)

	create["fragment"] = true
	parts := c.watch(obj{"create_request": create})
	require.Equal(t, true, parts.next()["created"])
	n, messages := 0, 0
	for n < 30 {
		m := parts.next()
		n += len(m["events"].([]any))
		messages++
		require.Equal(t, n < 30, m["fragment"] == true, "all but the last part say that more follows")
	}
	require.Greater(t, messages, 2)
}

func TestAWriteLargerThanAProposalMayBeIsRefused(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	big := func(n int) obj { return obj{"key": b64("a"), "value": b64(strings.Repeat("x", n))} }
	c.call("/v3/kv/put", big(1<<20))
	require.Equal(t, "etcdserver: request is too large", c.refused("/v3/kv/put", big(1600<<10)))
	require.Contains(t, c.refused("/v3/kv/put", big(3<<20)), "received message larger than max")
}

func TestAWatchThatBeginsInTheFutureWaitsForItsRevision(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	w := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "4"}})
	require.Equal(t, true, w.next()["created"])
	for i := range 3 {
		s.Put("a", fmt.Append(nil, i))
	}
	require.Equal(t, []string{"+a=2@4"}, w.events())
}

func TestThePreviousValueOfACompactedRevisionIsGone(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	for range 3 {
		s.Put("a", []byte("v"))
	}
	require.NoError(t, s.Compact(3))
	w := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "3", "prev_kv": true}})
	require.Equal(t, true, w.next()["created"])
	evs := list(w.next()["events"])
	require.Len(t, evs, 2)
	require.NotContains(t, evs[0], "prev_kv")
	require.Contains(t, evs[1], "prev_kv")
}

func TestAStalledStreamThatMissedSomethingAnswersNoProgressRequest(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		ws := c.socket(t)
		defer ws.conn.CloseNow()
		ws.send(obj{"create_request": obj{"key": b64("a")}})
		require.Equal(t, true, ws.next()["created"])
		s.StallWatches()
		ws.send(obj{"progress_request": obj{}})
		require.Equal(t, "1", revision(ws.next()))
		s.Put("a", nil)
		ws.send(obj{"progress_request": obj{}})
		synctest.Wait()
		s.ResumeWatches()
		require.Len(t, ws.next()["events"], 1, "no progress at revision 2 came before its event")
	})
}

func TestCompactionForgetsDeletedKeys(t *testing.T) {
	s := Start(t)
	s.Put("a", nil)
	s.Delete("a")
	s.Put("b", nil)
	require.NoError(t, s.Compact(3))
	require.Nil(t, s.store.keys.get("a"))
	require.NotNil(t, s.store.keys.get("b"))
	require.Equal(t, (&KeyValue{Key: "b"}).size(), s.store.bytes)
}

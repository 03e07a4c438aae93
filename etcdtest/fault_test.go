package etcdtest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

func TestALostReplyLeavesTheWriteCommittedAndALostRequestDoesNot(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	reply := s.Inject(Fault{Path: "/v3/kv/put", LoseReply: true, Times: 1})
	request := s.Inject(Fault{Path: "/v3/kv/put", LoseRequest: true, Skip: 1, Times: 1})

	_, _, err := c.try("/v3/kv/put", obj{"key": b64("kept")})
	require.Error(t, err)
	_, _, err = c.try("/v3/kv/put", obj{"key": b64("lost")})
	require.Error(t, err)
	c.put("sound", "")
	require.Equal(t, []string{"kept", "sound"}, s.Keys(""))
	require.Equal(t, 1, reply.Hits())
	require.Equal(t, 1, request.Hits())
}

func TestALateWriteIsAppliedAfterOthersWereAnswered(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	release := make(chan struct{})
	late := s.Inject(Fault{Late: release, Times: 1, Match: func(r *Request) bool { return r.Puts("lock") }})

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, _, err := c.tryCtx(ctx, "/v3/kv/txn", obj{"success": []obj{{"request_put": obj{"key": b64("lock"), "value": b64("late")}}}})
		done <- err
	}()
	require.NoError(t, late.Await(context.Background(), 1))
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)

	w := c.watch(obj{"create_request": obj{"key": b64("lock")}})
	require.Equal(t, true, w.next()["created"])
	c.call("/v3/kv/deleterange", obj{"key": b64("lock")})
	require.Empty(t, s.Keys("lock"), "nothing was applied yet")
	close(release)
	require.Equal(t, []string{"+lock=late@2"}, w.events())
}

func TestAHeldRequestWhoseClientIsGoneIsNotCarriedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		hold := make(chan struct{})
		s.Inject(Fault{Path: "/v3/kv/put", Hold: hold})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _, err := c.tryCtx(ctx, "/v3/kv/put", obj{"key": b64("a")})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		close(hold)
		synctest.Wait()
		require.Empty(t, s.Keys(""))
	})
}

func TestDelaysTakeTheTimeTheySay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		in := s.Inject(Fault{Delay: time.Hour, DelayReply: time.Minute})
		start := time.Now()
		c.put("a", "1")
		require.Equal(t, time.Hour+time.Minute, time.Since(start))
		in.Remove()
		c.put("a", "2")
		require.Equal(t, time.Hour+time.Minute, time.Since(start))
	})
}

func TestACutReplyEndsInTheMiddle(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	s.Inject(Fault{Path: "/v3/kv/put", CutReply: 10})
	_, _, err := c.try("/v3/kv/put", obj{"key": b64("a")})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, []string{"a"}, s.Keys(""))
}

func TestARefusalStandsInForTheReply(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	s.Inject(Fault{Path: "/v3/kv/put", Refuse: &Error{Code: Unavailable, Message: "etcdserver: leader changed"}, Times: 1})
	s.Inject(Fault{Path: "/v3/kv/put", Refuse: errNoSpace, Commit: true, Skip: 1, Times: 1})
	status, o, err := c.try("/v3/kv/put", obj{"key": b64("a")})
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, obj{"code": 14.0, "message": "etcdserver: leader changed"}, o)
	require.Empty(t, s.Keys(""))

	status, _, err = c.try("/v3/kv/put", obj{"key": b64("a")})
	require.NoError(t, err)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, []string{"a"}, s.Keys(""), "applied although it was refused")
}

func TestForeignRepliesArriveAsTheyAre(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	get := func(r *Reply) (*http.Response, string) {
		in := s.Inject(Fault{Reply: r})
		defer in.Remove()
		hc := *c.http
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := hc.Post(c.url+"/v3/kv/range", "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, string(b)
	}
	resp, body := get(TextReply(http.StatusBadGateway, "text/html", "<html>bad gateway</html>"))
	require.Equal(t, http.StatusBadGateway, resp.StatusCode)
	require.Equal(t, "<html>bad gateway</html>", body)

	resp, _ = get(RedirectReply("http://elsewhere.example/"))
	require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
	require.Equal(t, "http://elsewhere.example/", resp.Header.Get("Location"))

	_, body = get(HugeReply(100_000))
	require.Len(t, body, 100_000)
	_, body = get(BombReply(1 << 20)) // net/http unpacks it
	require.Len(t, body, 1<<20)
}

func TestFaultsPickRequestsByMemberAndContent(t *testing.T) {
	s := Start(t, WithMembers(3))
	c := newClient(t, s)
	in := s.Inject(Fault{Members: []int{1}, Match: func(r *Request) bool { return r.Touches("b") }})
	get := obj{"key": b64("a"), "range_end": b64("c")}
	c.call("/v3/kv/range", get)
	require.Equal(t, 0, in.Hits())
	c.url = s.URLs()[1]
	c.call("/v3/kv/range", get)
	c.call("/v3/kv/range", obj{"key": b64("a")})
	require.Equal(t, 1, in.Hits())
}

func TestAStreamCanBeCutAfterSoManyBytes(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	s.Inject(Fault{Path: "/v3/watch", CutReply: 400})
	w := c.watch(obj{"create_request": obj{"key": b64("a")}})
	require.Equal(t, true, w.next()["created"])
	for range 10 {
		s.Put("a", []byte("x"))
	}
	var err error
	for n := 0; err == nil; n++ {
		require.Less(t, n, 10, "the stream never broke")
		var o obj
		err = w.dec.Decode(&o)
	}
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestAKeepAliveWhoseReplyIsLostRenewedTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		c.call("/v3/lease/grant", obj{"ID": "7", "TTL": "10"})
		time.Sleep(9 * time.Second)
		s.Inject(Fault{Path: "/v3/lease/keepalive", Match: func(r *Request) bool { return r.Int("ID") == 7 }, LoseReply: true, Times: 1})
		_, _, err := c.try("/v3/lease/keepalive", obj{"ID": "7"})
		require.Error(t, err)
		require.Equal(t, 10*time.Second, s.Leases()[0].Remaining)
		require.Equal(t, int64(1), s.Leases()[0].Renewals)
	})
}

func TestAFaultCanRefuseAStreamBeforeItBegins(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	s.Inject(Fault{Path: "/v3/watch", Refuse: &Error{Code: Unavailable, Message: "etcdserver: no leader"}})
	status, o, err := c.try("/v3/watch", obj{"create_request": obj{"key": b64("a")}})
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, obj{"error": obj{"code": 14.0, "message": "etcdserver: no leader"}}, o)
	_, resp, err := websocket.Dial(context.Background(), c.url+"/v3/watch", &websocket.DialOptions{HTTPClient: c.http})
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
}

func TestWithLatencyEachRequestAndReplyTakesItsTime(t *testing.T) {
	const most = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := Start(t, WithLatency(most))
		c := newClient(t, s)
		var sum time.Duration
		for range 100 {
			start := time.Now()
			c.put("k", "v")
			took := time.Since(start)
			require.LessOrEqual(t, took, 2*most)
			sum += took
		}
		require.InDelta(t, 100*most, sum, float64(40*most), "on the average one half and the other")
	})
}

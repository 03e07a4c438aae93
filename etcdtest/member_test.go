package etcdtest

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// bubble runs f in a synctest bubble with a cluster of n members.
func bubble(t *testing.T, n int, f func(t *testing.T, s *Server, c *client)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(WithMembers(n))
		c := newClient(t, s)
		defer s.Close()
		defer c.http.CloseIdleConnections()
		f(t, s, c)
	})
}

func TestAPausedMemberAnswersOnceItIsResumed(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		s.Pause(0)
		time.AfterFunc(time.Minute, func() { s.Resume(0) })
		start := time.Now()
		c.put("a", "1")
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestLeasesOfAPausedMemberExpireWhenItGoesOn(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		c.call("/v3/lease/grant", obj{"TTL": "10", "ID": "7"})
		s.Pause(0)
		time.Sleep(time.Minute)
		require.Len(t, s.Leases(), 1)
		s.Resume(0)
		require.Empty(t, s.Leases())
	})
}

func TestAKilledMemberBreaksItsConnectionsAndRefusesNewOnes(t *testing.T) {
	bubble(t, 3, func(t *testing.T, s *Server, c *client) {
		w := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		s.Kill(0)
		var o obj
		require.ErrorIs(t, w.dec.Decode(&o), syscall.ECONNRESET)
		_, _, err := c.try("/v3/kv/put", obj{"key": b64("a")})
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.Equal(t, 1, s.Leader(), "another member leads")

		c.url = s.URLs()[1]
		c.put("a", "1")
		s.Restart(0)
		c.url = s.URLs()[0]
		v, _ := c.get("a")
		require.Equal(t, "1", v)
	})
}

func TestANewLeaderGivesLeasesTheirFullTTLAgain(t *testing.T) {
	bubble(t, 3, func(t *testing.T, s *Server, c *client) {
		c.url = s.URLs()[1]
		c.call("/v3/lease/grant", obj{"TTL": "10", "ID": "7"})
		time.Sleep(8 * time.Second)
		s.Kill(0)
		require.Equal(t, 10*time.Second, s.Leases()[0].Remaining)
	})
}

func TestWithoutQuorumWritesAndReadsRunOutOfTime(t *testing.T) {
	bubble(t, 3, func(t *testing.T, s *Server, c *client) {
		c.call("/v3/lease/grant", obj{"TTL": "10", "ID": "7"})
		s.Kill(1)
		s.Kill(2)
		for _, tc := range []struct {
			path    string
			body    obj
			status  int
			message string
		}{
			{"/v3/kv/put", obj{"key": b64("a")}, http.StatusGatewayTimeout, "context deadline exceeded"},
			{"/v3/kv/range", obj{"key": b64("a")}, http.StatusServiceUnavailable, "etcdserver: request timed out"},
			{"/v3/lease/timetolive", obj{"ID": "7"}, http.StatusServiceUnavailable, "etcdserver: no leader"},
		} {
			start := time.Now()
			status, o, err := c.try(tc.path, tc.body)
			require.NoError(t, err)
			require.Equal(t, tc.status, status, tc.path)
			require.Equal(t, tc.message, o["message"], tc.path)
			require.Equal(t, 7*time.Second, time.Since(start), tc.path)
		}
		start := time.Now()
		c.call("/v3/kv/range", obj{"key": b64("a"), "serializable": true})
		c.head.Set("Grpc-Metadata-hasleader", "true")
		require.Equal(t, "etcdserver: no leader", c.refused("/v3/kv/put", obj{"key": b64("a")}))
		require.Zero(t, time.Since(start))
		require.Len(t, s.Leases(), 1, "nothing expires without a leader")

		s.Restart(1)
		c.head.Del("Grpc-Metadata-hasleader")
		c.put("a", "1")
		require.Equal(t, 10*time.Second, s.Leases()[0].Remaining)
	})
}

func TestAGRPCTimeoutEndsACallEarlier(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		s.LoseQuorum()
		c.head.Set("Grpc-Timeout", "300m")
		start := time.Now()
		status, o, err := c.try("/v3/kv/range", obj{"key": b64("a")})
		require.NoError(t, err)
		require.Equal(t, http.StatusGatewayTimeout, status)
		require.Equal(t, "context deadline exceeded", o["message"])
		require.Equal(t, 300*time.Millisecond, time.Since(start))
	})
}

func TestAWatchThatWantsALeaderEndsSoonAfterItIsLost(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		c.head.Set("Grpc-Metadata-hasleader", "true")
		w := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		s.LoseQuorum()
		start := time.Now()
		var o obj
		require.NoError(t, w.dec.Decode(&o))
		require.Equal(t, obj{"error": obj{"code": 14.0, "message": "etcdserver: no leader"}}, o)
		require.Equal(t, leaderPatience, time.Since(start))
	})
}

func TestAMemberThatIsCutOffShowsThePastAndCatchesUp(t *testing.T) {
	bubble(t, 3, func(t *testing.T, s *Server, c *client) {
		c.put("a", "old")
		c.url = s.URLs()[2]
		w := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		s.Partition(2)
		s.Put("a", []byte("new"))

		rep := c.call("/v3/kv/range", obj{"key": b64("a"), "serializable": true})
		require.Equal(t, b64("old"), list(rep["kvs"])[0]["value"])
		require.Equal(t, "2", revision(rep))
		c.head.Set("Grpc-Metadata-hasleader", "true")
		require.Equal(t, "etcdserver: no leader", c.refused("/v3/kv/range", obj{"key": b64("a")}))

		s.Heal(2)
		require.Equal(t, []string{"+a=new@3"}, w.events())
		v, _ := c.get("a")
		require.Equal(t, "new", v)
	})
}

func TestStalledWatchesCatchUpInOrder(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		w := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		s.StallWatches()
		s.Put("a", []byte("1"))
		s.Put("a", []byte("2"))
		s.ResumeWatches()
		require.Equal(t, []string{"+a=1@2", "+a=2@3"}, w.events())
		s.Put("a", []byte("3"))
		require.Equal(t, []string{"+a=3@4"}, w.events())
	})
}

func TestAWipedClusterIsAnotherOne(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		before := c.put("a", "1")["header"].(obj)["cluster_id"]
		c.call("/v3/lease/grant", obj{"TTL": "10"})
		s.Wipe()
		after := c.call("/v3/kv/range", obj{"key": b64("a")})
		require.NotEqual(t, before, after["header"].(obj)["cluster_id"])
		require.Equal(t, "1", revision(after))
		require.NotContains(t, after, "kvs")
		require.Empty(t, s.Leases())
	})
}

func TestARestoredClusterForgetsWhatCameAfter(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		c.call("/v3/lease/grant", obj{"TTL": "10", "ID": "7"})
		c.call("/v3/kv/put", obj{"key": b64("a"), "value": b64("1"), "lease": "7"})
		s.Put("b", nil)
		s.RevokeLease(7)
		require.NoError(t, s.Restore(2))
		require.Error(t, s.Restore(3), "it never happened any more")
		require.Equal(t, []string{"a"}, s.Keys(""))
		require.Equal(t, []string{"a"}, s.Leases()[0].Keys)
		require.Equal(t, "3", revision(c.put("c", "")))
		time.Sleep(11 * time.Second)
		require.Equal(t, []string{"c"}, s.Keys(""), "the lease that came back expires")
	})
}

func TestClosingEndsEverythingAtOnce(t *testing.T) {
	bubble(t, 1, func(t *testing.T, s *Server, c *client) {
		hold := make(chan struct{})
		held := s.Inject(Fault{Path: "/v3/kv/put", Hold: hold})
		done := make(chan error, 1)
		go func() {
			_, _, err := c.try("/v3/kv/put", obj{"key": b64("a")})
			done <- err
		}()
		require.NoError(t, held.Await(context.Background(), 1))
		w := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		s.Close()
		s.Close()
		require.Error(t, <-done)
		_, err := s.Dial(context.Background(), "tcp", "member1.etcdtest:2379")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.Zero(t, s.WatchStreams())
	})
}

func TestAPausedMemberSendsNoEventsUntilItIsResumed(t *testing.T) {
	bubble(t, 3, func(t *testing.T, s *Server, c *client) {
		w := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		s.Pause(0)
		require.Equal(t, 1, s.Leader())
		other := newClient(t, s)
		defer other.http.CloseIdleConnections()
		other.url = s.URLs()[1]
		other.put("a", "1")
		time.AfterFunc(time.Hour, func() { s.Resume(0) })
		start := time.Now()
		require.Equal(t, []string{"+a=1@2"}, w.events())
		require.Equal(t, time.Hour, time.Since(start))
	})
}

func TestThePlainMembersOfAClusterShareItsState(t *testing.T) {
	s := Start(t, WithMembers(3))
	c := newClient(t, s)
	ids := map[any]bool{}
	for i, url := range s.URLs() {
		c.url = url
		rep := c.put("a", "v")
		require.Equal(t, int64(2+i), s.Revision())
		ids[rep["header"].(obj)["member_id"]] = true
	}
	require.Len(t, ids, 3)
	require.Equal(t, 3, s.Requests()["/v3/kv/put"])
	require.Positive(t, s.Connections())
}

func TestAMemberPausedOrKilledInTheMiddleOfARequestDoesNotCarryItOut(t *testing.T) {
	for _, members := range []int{1, 3} {
		bubble(t, members, interruptRequests)
	}
}

func interruptRequests(t *testing.T, s *Server, c *client) {
	done := make(chan error, 1)
	held := func() (release func()) {
		hold := make(chan struct{})
		in := s.Inject(Fault{Path: "/v3/kv/put", Hold: hold, Times: 1})
		go func() {
			_, _, err := c.try("/v3/kv/put", obj{"key": b64("a")})
			done <- err
		}()
		require.NoError(t, in.Await(context.Background(), 1))
		in.Remove()
		return func() { close(hold); synctest.Wait() }
	}
	release := held()
	s.Pause(0)
	release()
	require.Empty(t, s.Keys(""))
	s.Resume(0)
	require.NoError(t, <-done)
	require.Equal(t, []string{"a"}, s.Keys(""))

	s.Delete("a")
	release = held()
	s.Kill(0)
	s.Restart(0)
	release()
	require.Error(t, <-done)
	require.Empty(t, s.Keys(""))
}

func TestWatchesMadeOnAMemberThatIsCutOffCatchUpToo(t *testing.T) {
	bubble(t, 3, func(t *testing.T, s *Server, c *client) {
		s.Put("a", []byte("1"))
		s.Partition(2)
		s.Put("a", []byte("2"))
		c.url = s.URLs()[2]
		past := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "2"}})
		defer past.close()
		now := c.watch(obj{"create_request": obj{"key": b64("a")}})
		defer now.close()
		require.Equal(t, "2", revision(past.next()))
		require.Equal(t, "2", revision(now.next()))
		require.Equal(t, []string{"+a=1@2"}, past.events())
		s.Heal(2)
		require.Equal(t, []string{"+a=2@3"}, past.events())
		require.Equal(t, []string{"+a=2@3"}, now.events())
	})
}

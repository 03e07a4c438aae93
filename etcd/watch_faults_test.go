package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestACompactionIsReportedAsWhatItIs(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		for range 20 {
			srv.Put("a", nil)
		}
		require.NoError(t, srv.Compact(15))
		w := watch(t, c, etcd.Key("a"), etcd.FromRevision(5))
		err := ended(t, w)
		require.ErrorIs(t, err, etcd.ErrCompacted)
		var compacted *etcd.CompactedError
		require.ErrorAs(t, err, &compacted)
		require.EqualValues(t, 15, compacted.Revision)

		again := watch(t, c, etcd.Key("a"), etcd.FromRevision(compacted.Revision))
		require.Equal(t, expected(srv, etcd.Key("a"), 15, 21), collect(t, again, 7))
		live := watch(t, c, etcd.Key("a"))
		srv.Put("a", nil)
		require.Len(t, collect(t, live, 1), 1, "the others go on")
	})
}

func TestAQuietWatchDoesNotFallBehindACompaction(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w := watch(t, c, etcd.Key("quiet"))
		for range 10 {
			for range 100 {
				srv.Put("busy", nil)
			}
			time.Sleep(5 * time.Second)
			require.NoError(t, srv.Compact(srv.Revision()))
			srv.DropWatches()
		}
		time.Sleep(5 * time.Second)
		srv.Put("quiet", []byte("still there"))
		require.Equal(t, []string{fmt.Sprintf("put quiet=still there@%d", srv.Revision())}, collect(t, w, 1))
	})
}

func TestAWipedOrRestoredClusterEndsItsWatches(t *testing.T) {
	for name, replace := range map[string]func(*etcdtest.Server) error{
		"wiped":    func(srv *etcdtest.Server) error { srv.Wipe(); return nil },
		"restored": func(srv *etcdtest.Server) error { return srv.Restore(5) },
	} {
		for _, via := range []string{"websocket", "stream"} {
			t.Run(name+" over "+via, func(t *testing.T) {
				etcd.BothWays(t, func(t *etcd.World) {
					srv := t.Start()
					if via == "stream" {
						postOnly(srv)
					}
					c := newClient(t, srv)
					for range 20 {
						srv.Put("a", nil)
					}
					w := watch(t, c, etcd.Key("a"))
					bulky := watch(t, c, etcd.Key("a"), etcd.Bulky())
					require.NoError(t, replace(srv))
					begin := time.Now()
					for _, w := range []*etcd.Watcher{w, bulky} {
						err := ended(t, w)
						require.ErrorIs(t, err, etcd.ErrClusterChanged)
						require.ErrorContains(t, err, "cluster's id was")
					}
					require.Less(t, time.Since(begin), 6*time.Second)

					fresh := watch(t, c, etcd.Key("a"))
					srv.Put("a", nil)
					require.Len(t, collect(t, fresh, 1), 1, "the new cluster can be watched")
				})
			})
		}
	}
}

func TestAMemberCutOffFromTheOthersIsLeftWithinSeconds(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithMembers(3))
		c := newClient(t, srv)
		w := watch(t, c, etcd.Key("a"))
		_, err := c.Put(context.Background(), "a", nil) // says which member the client is at
		require.NoError(t, err)
		collect(t, w, 1)
		for i := range 3 {
			srv.Partition(i)
			srv.Put("a", fmt.Append(nil, i))
			begin := time.Now()
			require.Len(t, collect(t, w, 1), 1)
			require.LessOrEqual(t, time.Since(begin), 5*time.Second)
			srv.Heal(i)
		}
	})
}

func TestAMemberThatHangsIsLeftWithinSeconds(t *testing.T) {
	for _, via := range []string{"websocket", "stream"} {
		t.Run(via, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start(etcdtest.WithMembers(3))
				if via == "stream" {
					postOnly(srv)
				}
				c := newClient(t, srv)
				w := watch(t, c, etcd.Key("a"))
				for i := range 3 {
					srv.Pause(i)
					srv.Put("a", fmt.Append(nil, i))
					begin := time.Now()
					require.Len(t, collect(t, w, 1), 1)
					require.LessOrEqual(t, time.Since(begin), 5100*time.Millisecond+t.Slack(4), "five seconds, and the server's round for those who catch up")
					srv.Resume(i)
					time.Sleep(10 * time.Second)
				}
			})
		})
	}
}

func TestAMemberThatHangsInTheMiddleOfACheckIsNotAskedAgainFirst(t *testing.T) {
	for range 20 { // the pong comes after the answer to the read in half of them
		synctest.Test(t, func(t *testing.T) {
			const latency = 10 * time.Millisecond
			srv := etcdtest.Start(t, etcdtest.WithMembers(3), etcdtest.WithLineLatency(latency))
			checks := 0
			paused := make(chan time.Time, 1)
			c := newClient(t, srv, func(cfg *etcd.Config) {
				cfg.Hooks.Request = func(i etcd.RequestInfo) {
					if checks++; checks == 3 {
						srv.Pause(0)
						srv.Put("a", nil)
						paused <- time.Now()
					}
				}
			})
			w := watch(t, c, etcd.Key("a"))
			begin := <-paused
			require.Len(t, collect(t, w, 1), 1)
			require.LessOrEqual(t, time.Since(begin), 5100*time.Millisecond+8*latency)
			srv.Resume(0)
			time.Sleep(time.Second)
		})
	}
}

func TestWhatTheServerSaysWrongCostsAConnectionAndNothingElse(t *testing.T) {
	created := `{"result":{"header":{"cluster_id":"1","member_id":"1","revision":"5"},"watch_id":"1","created":true}}`
	for name, bad := range map[string]string{
		"no JSON":               "<html>",
		"truncated":             created[:40],
		"no object":             "[]",
		"neither":               "{}",
		"a revision of nothing": `{"result":{"watch_id":"1","created":true}}`,
		"created unasked":       `{"result":{"header":{"revision":"5"},"watch_id":"77","created":true}}`,
		"a huge number":         `{"result":{"watch_id":"99999999999999999999999999"}}`,
		"too large":             `{"result":{"cancel_reason":"` + strings.Repeat("x", 300<<10) + `"}}`,
		"an error":              `{"error":{"code":14,"message":"going away"}}`,
		"an error of 3.5":       `{"error":{"grpc_code":1,"http_code":408,"message":"context canceled","http_status":"Request Timeout"}}`,
		"events out of order":   created + `{"result":{"watch_id":"1","events":[{"kv":{"key":"YQ==","mod_revision":"9"}},{"kv":{"key":"YQ==","mod_revision":"8"}}]}}`,
		"an event of no kind":   created + `{"result":{"watch_id":"1","events":[{"kv":{"key":"YQ==","mod_revision":"9"},"type":7}]}}`,
		"an empty event":        created + `{"result":{"watch_id":"1","events":[{}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start()
				postOnly(srv)
				fault := srv.Inject(etcdtest.Fault{
					Path: "/v3/watch", Times: 2,
					Match: func(r *etcdtest.Request) bool { return r.Body != nil },
					Reply: etcdtest.TextReply(200, "application/json", bad),
				})
				c := newClient(t, srv, func(cfg *etcd.Config) { cfg.MaxReplyBytes = 256 << 10 })
				w, err := c.Watch(context.Background(), etcd.Key("a"))
				if err == nil {
					time.Sleep(20 * time.Second)
					srv.Put("a", nil)
					_, err = w.Next(context.Background())
				}
				if err != nil { // another cluster's id
					require.ErrorIs(t, err, etcd.ErrClusterChanged)
				}
				require.Equal(t, 2, fault.Hits())
			})
		})
	}
}

func TestARequestThatIsNeverAnsweredCostsTheConnection(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		other := watch(t, c, etcd.Key("b"))
		// From now on nothing that is said on open streams is understood.
		release := make(chan struct{})
		defer close(release)
		srv.Inject(etcdtest.Fault{Path: "/v3/watch", Times: 2, Hold: release})
		srv.DropWatches()
		w := watch(t, c, etcd.Key("a"))
		srv.Put("a", nil)
		srv.Put("b", nil)
		require.Len(t, collect(t, w, 1), 1)
		require.Len(t, collect(t, other, 1), 1)
	})
}

func TestWhereNothingAnswersTheCreationIsGivenUp(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		srv.Kill(0)
		begin := time.Now()
		_, err := c.Watch(context.Background(), etcd.Key("a"))
		require.ErrorIs(t, err, etcd.ErrUnavailable)
		require.Less(t, time.Since(begin), 30*time.Second)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = c.Watch(ctx, etcd.Key("a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)

		hasty := newClient(t, srv, func(cfg *etcd.Config) { cfg.RetryTimeout = -1 })
		begin = time.Now()
		_, err = hasty.Watch(context.Background(), etcd.Key("a"))
		require.ErrorIs(t, err, etcd.ErrUnavailable)
		require.Less(t, time.Since(begin), time.Second)

		srv.Restart(0)
		srv.Inject(etcdtest.Fault{Reply: etcdtest.TextReply(404, "text/html", "<html>")})
		begin = time.Now()
		_, err = c.Watch(context.Background(), etcd.Key("a"))
		require.ErrorIs(t, err, etcd.ErrUnsupported)
		require.Less(t, time.Since(begin), time.Second)
	})
}

func TestAWatchWaitsForAMemberAsLongAsItTakes(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w := watch(t, c, etcd.Key("a"))
		srv.Kill(0)
		srv.Put("a", nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		_, err := w.Next(ctx)
		require.True(t, errors.Is(err, context.DeadlineExceeded), err)
		srv.Restart(0)
		begin := time.Now()
		require.Len(t, collect(t, w, 1), 1)
		require.Less(t, time.Since(begin), 5*time.Second)
	})
}

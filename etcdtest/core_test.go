package etcdtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRevisionsAndVersionsGrowAsInEtcd(t *testing.T) {
	c := newClient(t, Start(t))
	require.Equal(t, "2", revision(c.put("a", "1")))
	require.Equal(t, "3", revision(c.put("a", "2")))
	kv := list(c.call("/v3/kv/range", obj{"key": b64("a")})["kvs"])[0]
	require.Equal(t, obj{"key": b64("a"), "value": b64("2"), "create_revision": "2", "mod_revision": "3", "version": "2"}, kv)

	del := c.call("/v3/kv/deleterange", obj{"key": b64("a"), "prev_kv": true})
	require.Equal(t, "1", del["deleted"])
	require.Equal(t, b64("2"), list(del["prev_kvs"])[0]["value"])
	del = c.call("/v3/kv/deleterange", obj{"key": b64("a")})
	require.Equal(t, "4", revision(del), "a delete that finds nothing makes no revision")
	require.NotContains(t, del, "deleted")

	c.put("a", "3")
	kv = list(c.call("/v3/kv/range", obj{"key": b64("a")})["kvs"])[0]
	require.Equal(t, "1", kv["version"], "a key starts again after a delete")
	require.Equal(t, "5", kv["create_revision"])

	kv = list(c.call("/v3/kv/range", obj{"key": b64("a"), "revision": "3"})["kvs"])[0]
	require.Equal(t, b64("2"), kv["value"])
}

func TestACompareSeesTheStateBeforeTheWholeTxn(t *testing.T) {
	c := newClient(t, Start(t))
	acquire := obj{"request_txn": obj{
		"compare": []obj{{"key": b64("lock"), "target": "VERSION", "version": "0"}},
		"success": []obj{{"request_range": obj{"key": b64("x"), "range_end": "AA=="}}},
	}}
	rep := c.call("/v3/kv/txn", obj{"success": []obj{
		{"request_put": obj{"key": b64("lock"), "value": b64("me")}},
		acquire,
		{"request_range": obj{"key": b64("lock")}},
	}})
	ops := list(rep["responses"])
	require.Equal(t, true, ops[1]["response_txn"].(obj)["succeeded"], "the nested compare saw no lock")
	require.Equal(t, "1", ops[2]["response_range"].(obj)["count"], "a later range sees the earlier put")
}

func TestALeaseExpiresAndDeletesItsKeysAtOneRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		grant := c.call("/v3/lease/grant", obj{"TTL": "10"})
		for _, k := range []string{"b", "a"} {
			c.call("/v3/kv/put", obj{"key": b64(k), "lease": grant["ID"]})
		}
		w := c.watch(obj{"create_request": obj{"key": "AA==", "range_end": "AA=="}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])

		time.Sleep(8 * time.Second)
		alive := c.call("/v3/lease/keepalive", obj{"ID": grant["ID"]})
		require.Equal(t, "10", alive["result"].(obj)["TTL"])
		time.Sleep(9 * time.Second)
		require.Len(t, c.call("/v3/lease/leases", obj{})["leases"], 1)

		start := time.Now()
		require.Equal(t, []string{"-a@4", "-b@4"}, w.events())
		require.Equal(t, time.Second, time.Since(start))
		alive = c.call("/v3/lease/keepalive", obj{"ID": grant["ID"]})
		require.NotContains(t, alive["result"], "TTL")
	})
}

func TestAWatchFromThePastIsServedByTheNextRoundOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		c := newClient(t, s)
		defer c.http.CloseIdleConnections()
		c.put("a", "1")
		c.put("a", "2")
		start := time.Now()
		w := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "2"}}, obj{"progress_request": obj{}})
		defer w.close()
		require.Equal(t, true, w.next()["created"])
		require.Equal(t, []string{"+a=1@2", "+a=2@3"}, w.events())
		require.Equal(t, resyncPeriod, time.Since(start))
		c.put("a", "3")
		require.Equal(t, []string{"+a=3@4"}, w.events())
		require.Equal(t, resyncPeriod, time.Since(start), "from then on events come at once")
	})
}

func TestACompactedWatchIsCreatedAndThenCanceled(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	for range 4 {
		c.put("a", "x")
	}
	c.call("/v3/kv/compaction", obj{"revision": "4"})
	require.Contains(t, c.refused("/v3/kv/range", obj{"key": b64("a"), "revision": "3"}), "compacted")
	w := c.watch(obj{"create_request": obj{"key": b64("a"), "start_revision": "2"}})
	require.Equal(t, true, w.next()["created"])
	end := w.next()
	require.Equal(t, true, end["canceled"])
	require.Equal(t, "4", end["compact_revision"])
}

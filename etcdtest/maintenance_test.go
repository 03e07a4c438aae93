package etcdtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFullServerTakesDeletesOnly(t *testing.T) {
	const full = "etcdserver: mvcc: database space exceeded"
	s := Start(t, WithQuota(4000))
	c := newClient(t, s)
	n := 0
	for ; ; n++ {
		require.Less(t, n, 100, "the quota never struck")
		status, o, err := c.try("/v3/kv/put", obj{"key": b64("a"), "value": b64(strings.Repeat("x", 500))})
		require.NoError(t, err)
		if status == http.StatusTooManyRequests {
			require.Equal(t, obj{"code": 8.0, "message": full}, o)
			break
		}
	}
	require.Equal(t, int64(1+n), s.Revision())
	require.Equal(t, full, c.refused("/v3/lease/grant", obj{"TTL": "5"}))
	require.Equal(t, full, c.refused("/v3/kv/txn", obj{"failure": []obj{put("b")}}), "in the branch that is not taken")
	require.Equal(t, full, c.refused("/v3/kv/txn", then(nest(put("b")))))
	c.call("/v3/kv/txn", then(nest(del("a", ""))))
	alarms := list(c.call("/v3/maintenance/alarm", obj{})["alarms"])
	require.Equal(t, "NOSPACE", alarms[0]["alarm"])
	require.Contains(t, c.call("/v3/maintenance/status", obj{})["errors"].([]any)[0], "NOSPACE")

	s.Compact(s.Revision())
	require.Equal(t, full, c.refused("/v3/kv/put", obj{"key": b64("a")}), "the alarm stays until it is ended")
	c.call("/v3/maintenance/alarm", obj{"action": "DEACTIVATE", "alarm": "NOSPACE", "memberID": alarms[0]["memberID"]})
	c.put("a", "")
}

func TestASnapshotEndsWithItsChecksum(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	c.put("a", strings.Repeat("x", 100_000))
	resp, err := c.http.Post(c.url+"/v3/maintenance/snapshot", "", strings.NewReader("{}"))
	require.NoError(t, err)
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	var blobs [][]byte
	var remaining []string
	for {
		var o obj
		if err := dec.Decode(&o); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		r := o["result"].(obj)
		b, err := base64.StdEncoding.DecodeString(r["blob"].(string))
		require.NoError(t, err)
		blobs = append(blobs, b)
		left, _ := r["remaining_bytes"].(string)
		remaining = append(remaining, left)
	}
	last := len(blobs) - 1
	h := sha256.New()
	size := 0
	for _, b := range blobs[:last] {
		h.Write(b)
		size += len(b)
	}
	require.Equal(t, h.Sum(nil), blobs[last])
	require.Greater(t, last, 2, "it came in several parts")
	require.NotEmpty(t, remaining[0])
	require.Equal(t, []string{"", ""}, remaining[last-1:], "nothing remains before the checksum")
	require.Zero(t, size%512)
}

func TestMembersAreAddedMovedAndRemoved(t *testing.T) {
	s := Start(t, WithMembers(3))
	c := newClient(t, s)
	members := list(c.call("/v3/cluster/member/list", obj{})["members"])
	require.Len(t, members, 3)
	c.call("/v3/maintenance/transfer-leadership", obj{"targetID": members[2]["ID"]})
	require.Equal(t, 2, s.Leader())
	require.Equal(t, "etcdserver: not leader", c.refused("/v3/maintenance/transfer-leadership", obj{"targetID": members[1]["ID"]}))
	require.Equal(t, members[2]["ID"], c.call("/v3/maintenance/status", obj{})["leader"])

	added := c.call("/v3/cluster/member/add", obj{"peerURLs": []string{"http://10.0.0.1:2380"}, "isLearner": true})
	id := added["member"].(obj)["ID"]
	require.Equal(t, true, added["member"].(obj)["isLearner"])
	require.Equal(t, "etcdserver: member ID already exist",
		c.refused("/v3/cluster/member/add", obj{"peerURLs": []string{"http://10.0.0.1:2380"}}))
	require.Equal(t, "etcdserver: Peer URLs already exists",
		c.refused("/v3/cluster/member/add", obj{"peerURLs": []string{"http://10.0.0.9:2380", "http://10.0.0.1:2380"}}))
	require.Equal(t, "etcdserver: can only promote a learner member",
		c.refused("/v3/cluster/member/promote", obj{"ID": members[0]["ID"]}))
	c.call("/v3/cluster/member/update", obj{"ID": id, "peerURLs": []string{"http://10.0.0.2:2380"}})
	require.Equal(t, "etcdserver: can only promote a learner member which is in sync with leader",
		c.refused("/v3/cluster/member/promote", obj{"ID": id}))
	rep := c.call("/v3/cluster/member/remove", obj{"ID": id})
	require.Len(t, rep["members"], 3)
	require.Equal(t, "etcdserver: member not found", c.refused("/v3/cluster/member/remove", obj{"ID": id}))
	c.put("a", "")
}

func TestTheHashFollowsTheContent(t *testing.T) {
	s := Start(t)
	c := newClient(t, s)
	empty := c.call("/v3/maintenance/hashkv", obj{})["hash"]
	c.put("a", "1")
	one := c.call("/v3/maintenance/hashkv", obj{})["hash"]
	require.NotEqual(t, empty, one)
	c.put("a", "2")
	require.Equal(t, one, c.call("/v3/maintenance/hashkv", obj{"revision": "2"})["hash"])
}

package conformance

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"
)

func (g *gateway) memberID(t testing.TB) string {
	t.Helper()
	return g.post(t, "/v3/maintenance/status", o{}).at("header", "member_id").str(t)
}

var maintenanceFacts = topic{name: "maintenance", facts: []fact{
	{"the status names version, leader and sizes", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		n := g.post(t, "/v3/maintenance/status", o{})
		if !n.at("version").is(g.target.Version) || n.at("leader").text() != n.at("header", "member_id").text() {
			t.Errorf("the status is %s", n)
		}
		for _, name := range []string{"dbSize", "dbSizeInUse", "raftIndex", "raftTerm", "raftAppliedIndex"} {
			if n.at(name).int64(t) <= 0 {
				t.Errorf("%s is %s", name, n.at(name))
			}
		}
		if n.at("isLearner").exists() || n.at("errors").exists() {
			t.Errorf("the status is %s", n)
		}
		if has := n.at("dbSizeQuota").exists() && n.at("storageVersion").exists(); has != (g.minor > 5) {
			t.Errorf("quota and storage version: %v", has)
		}
	}},
	{"a snapshot is frames of blobs that end with the sum of all before", func(t *testing.T, g *gateway) {
		g.put(t, "k", "v")
		s := g.stream(t, "/v3/maintenance/snapshot", o{})
		var all []byte
		var blobs [][]byte
		last := int64(-1)
		for _, f := range s.ends(t) {
			n, err := parse([]byte(f))
			if err != nil || !n.at("result").exists() {
				t.Fatalf("a frame is %.200q: %v", f, err)
			}
			n = n.at("result")
			b, err := base64.StdEncoding.DecodeString(n.at("blob").text())
			if err != nil {
				t.Fatal(err)
			}
			remaining := n.at("remaining_bytes").int64(t)
			if last >= 0 && remaining > last {
				t.Errorf("%d bytes remain after %d", remaining, last)
			}
			if n.at("version").exists() != (g.minor > 5) {
				t.Errorf("the version is %s", n.at("version"))
			}
			last = remaining
			all, blobs = append(all, b...), append(blobs, b)
		}
		if last != 0 || len(blobs) < 2 || len(blobs[len(blobs)-1]) != sha256.Size {
			t.Fatalf("%d blobs, %d bytes remain", len(blobs), last)
		}
		data := all[:len(all)-sha256.Size]
		if sha256.Sum256(data) != [sha256.Size]byte(all[len(data):]) {
			t.Error("the sum is of something else")
		}
		if len(data)%512 != 0 || len(data) == 0 {
			t.Errorf("the snapshot has %d bytes, not whole sectors", len(data))
		}
	}},
	{"a hash is a number, and since 3.5 one of the keys says up to which revision", func(t *testing.T, g *gateway) {
		rev := g.put(t, "k", "v")
		if n := g.post(t, "/v3/maintenance/hash", o{}); n.at("hash").int(t) == 0 {
			t.Errorf("the hash is %s", n)
		}
		if g.minor < 5 {
			// There is no way to the hash of the keys.
			if r := g.send(t, http.MethodPost, "/v3/maintenance/hashkv", o{}); r.status != 404 || string(r.body) != "Not Found\n" {
				t.Errorf("%d: %q", r.status, r.body)
			}
			return
		}
		one, two := g.post(t, "/v3/maintenance/hashkv", o{}), g.post(t, "/v3/maintenance/hashkv", o{"revision": rev})
		if one.at("hash").int(t) == 0 || one.at("hash").int(t) != two.at("hash").int(t) {
			t.Errorf("the hashes are %s and %s", one, two)
		}
		if g.minor > 5 && one.at("hash_revision").int64(t) != rev {
			t.Errorf("the hash is %s", one)
		}
		g.put(t, "k", "w")
		if n := g.post(t, "/v3/maintenance/hashkv", o{}); n.at("hash").int(t) == one.at("hash").int(t) {
			t.Error("another value, the same hash")
		}
		g.refused(t, "/v3/maintenance/hashkv", o{"revision": "100000000"}, 400, 11, future)
	}},
	{"a defragmentation is answered by an empty object", func(t *testing.T, g *gateway) {
		if n := g.post(t, "/v3/maintenance/defragment", o{}); len(n.members()) != 0 {
			t.Errorf("the answer is %s", n)
		}
	}},
	{"leadership does not move to a member there is not", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/maintenance/transfer-leadership", o{"targetID": "12345"}, 400, 9, "etcdserver: bad leader transferee")
	}},
	{"a GET is no way to ask", func(t *testing.T, g *gateway) {
		if r := g.send(t, http.MethodGet, "/v3/maintenance/status", ""); r.status != 405 && r.status != 501 {
			t.Errorf("%d: %s", r.status, r.body)
		}
	}},
}}

var memberFacts = topic{name: "members", facts: []fact{
	{"the list names each with its URLs, and its header has no revision", func(t *testing.T, g *gateway) {
		for _, body := range []o{{}, {"linearizable": true}} {
			n := g.post(t, "/v3/cluster/member/list", body)
			m := n.at("members", 0)
			if n.at("members").length() != 1 || m.at("ID").text() != g.memberID(t) || m.at("name").text() == "" ||
				m.at("peerURLs").length() != 1 || m.at("clientURLs").length() == 0 || m.at("isLearner").exists() {
				t.Errorf("the list is %s", n)
			}
			if n.at("header", "revision").exists() {
				t.Errorf("the header is %s", n.at("header"))
			}
		}
	}},
	{"a member there is not cannot be removed, updated or promoted", func(t *testing.T, g *gateway) {
		for path, body := range map[string]o{
			"/v3/cluster/member/remove":  {"ID": "12345"},
			"/v3/cluster/member/update":  {"ID": "12345", "peerURLs": a{"http://127.0.0.1:1"}},
			"/v3/cluster/member/promote": {"ID": "12345"},
		} {
			g.refused(t, path, body, 404, 5, "etcdserver: member not found")
		}
	}},
	{"a URL that is none is refused", func(t *testing.T, g *gateway) {
		g.refused(t, "/v3/cluster/member/add", o{"peerURLs": a{"nonsense"}}, 400, 3, "etcdserver: given member URLs are invalid")
	}},
	{"a learner is added, is not promoted before it caught up, and is removed", func(t *testing.T, g *gateway) {
		n := g.post(t, "/v3/cluster/member/add", o{"peerURLs": a{"http://127.0.0.1:1"}, "isLearner": true})
		id := n.at("member", "ID").str(t)
		if !n.at("member", "isLearner").isTrue() || n.at("members").length() != 2 || n.at("member", "name").exists() {
			t.Errorf("the answer is %s", n)
		}
		g.refused(t, "/v3/cluster/member/promote", o{"ID": id}, 400, 9, "etcdserver: can only promote a learner member which is in sync with leader")
		g.refused(t, "/v3/cluster/member/add", o{"peerURLs": a{"http://127.0.0.1:1"}}, 400, 9, "etcdserver: member ID already exist")
		g.refused(t, "/v3/cluster/member/add", o{"peerURLs": a{"http://127.0.0.1:3", "http://127.0.0.1:1"}}, 400, 9, "etcdserver: Peer URLs already exists")
		if n := g.post(t, "/v3/cluster/member/update", o{"ID": id, "peerURLs": a{"http://127.0.0.1:2"}}); n.at("members").length() != 2 {
			t.Errorf("the update is %s", n)
		}
		if n := g.post(t, "/v3/cluster/member/remove", o{"ID": id}); n.at("members").length() != 1 {
			t.Errorf("the removal is %s", n)
		}
	}},
}}

const noLeader = "etcdserver: no leader"

var leaderlessFacts = topic{
	name: "a member without a quorum", options: Options{ThreeMembers: true},
	facts: []fact{
		{"serves hasleader and watches as long as there is one", func(t *testing.T, g *gateway) {
			strict := g.with("Grpc-Metadata-hasleader", "true")
			strict.put(t, "k", "v")
			if n := strict.post(t, "/v3/cluster/member/list", o{}); n.at("members").length() != 3 {
				t.Errorf("the members are %s", n)
			}
			leaderless(t, g)
		}},
	},
}

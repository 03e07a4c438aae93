package etcd

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/jsonwire"
)

// eventFrame is a message of n events for watch id.
func eventFrame(id int64, rev int64, n, value int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"result":{"header":{"cluster_id":"9561175252729214906","member_id":"13178676780123491355","revision":"%d","raft_term":"2"},"watch_id":"%d","events":[`, rev, id)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		key := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "jobs/%08d", i))
		val := base64.StdEncoding.EncodeToString(make([]byte, value))
		fmt.Fprintf(&b, `{"kv":{"key":"%s","create_revision":"2","mod_revision":"%d","version":"3","value":"%s","lease":"77"}}`, key, rev, val)
	}
	b.WriteString("]}}")
	return []byte(b.String())
}

func TestAWatchMessageIsRead(t *testing.T) {
	var rd jsonwire.Reader
	var f watchFrame
	require.NoError(t, parseWatchFrame(&rd, []byte(`{"result":{"header":{"cluster_id":"1","member_id":"2","revision":"9","raft_term":"3"},
		"watch_id":"5","fragment":true,"new_field":[{}],"events":[
		{"kv":{"key":"bnMvYQ==","value":"Yg==","create_revision":"8","mod_revision":"9","version":"2","lease":"4"},"prev_kv":{"key":"bnMvYQ==","mod_revision":"8"}},
		{"type":"DELETE","kv":{"key":"bnMvYg==","mod_revision":"9"}}]}}`), len("ns/"), &f))
	require.Equal(t, watchFrame{
		header: Header{ClusterID: 1, MemberID: 2, Revision: 9, RaftTerm: 3}, id: 5, fragment: true,
		events: []Event{
			{KV: KV{Key: "a", Value: []byte("b"), CreateRevision: 8, ModRevision: 9, Version: 2, Lease: 4}, Prev: &KV{Key: "a", ModRevision: 8}},
			{Type: EventDelete, KV: KV{Key: "b", ModRevision: 9}},
		},
	}, f)

	require.NoError(t, parseWatchFrame(&rd, []byte(`{"result":{"canceled":true,"compact_revision":"7","cancel_reason":"why"}}`), 0, &f))
	require.Equal(t, watchFrame{canceled: true, compact: 7, reason: "why"}, f)

	var ended *streamError
	require.ErrorAs(t, parseWatchFrame(&rd, []byte(`{"error":{"grpc_code":14,"http_code":503,"message":"no leader"}}`), 0, &f), &ended)
	require.Equal(t, CodeUnavailable, ended.code)
	require.Equal(t, "no leader", ended.message)
}

func FuzzWatchFrame(f *testing.F) {
	for _, doc := range []string{
		`{"result":{"header":{"cluster_id":"1","member_id":"2","revision":"5"},"watch_id":"1","created":true}}`,
		`{"result":{"watch_id":"-1","created":true,"canceled":true,"cancel_reason":"etcdserver: permission denied"}}`,
		`{"result":{"watch_id":"1","canceled":true,"compact_revision":"5"}}`,
		`{"error":{"code":14,"message":"m"}}`, `{"error":{"grpc_code":1,"http_code":408,"message":"m","http_status":"s"}}`,
		`{"result":{"events":[{"type":1,"kv":{"key":"YQ==","mod_revision":9},"prev_kv":null}]}}`,
		`{}`, `{"result":null}`, `{"error":null}`, `{"result":{"events":[{},{},{}]}}`, string(eventFrame(1, 9, 3, 10)),
	} {
		f.Add([]byte(doc), 3)
	}
	f.Fuzz(func(t *testing.T, doc []byte, ns int) {
		var rd jsonwire.Reader
		var fr watchFrame
		if ns < 0 || ns > 1<<20 {
			ns = 0
		}
		err := parseWatchFrame(&rd, doc, ns, &fr)
		if most := len(doc)/8 + 1; len(fr.events) > most {
			t.Fatalf("%d bytes became %d events", len(doc), len(fr.events))
		}
		if err != nil {
			return
		}
		if !json.Valid(doc) {
			t.Fatal("accepted what is not JSON")
		}
		for i := range fr.events {
			if ev := &fr.events[i]; ev.KV.ModRevision <= 0 || ev.Type > EventDelete {
				t.Fatalf("accepted an event of no revision or kind: %+v", ev)
			}
		}
		// Whatever was accepted can be handed to a connection.
		cn := &watchConn{h: &watchHub{c: &Client{}, all: map[*Watcher]struct{}{}, holders: map[*Watcher]struct{}{}, share: 1 << 20, budget: 1 << 20},
			link: silentLink{}, inStep: true, ep: &endpoint{}, atts: map[int64]*attachment{}, catching: map[*attachment]struct{}{}, tell: map[*attachment]struct{}{}, rev: 5}
		cn.quit = func(error) {}
		testWatch(cn, 0)
		again := fr
		again.id, again.created, again.canceled = 1, true, false
		_ = cn.dispatch(&again)
		_ = cn.dispatch(&fr)
	})
}

// benchConn is a connection with n watches.
func benchConn(b *testing.B, n int) (*watchConn, []*Watcher) {
	cn := testConn(b, 1)
	ws := make([]*Watcher, n)
	for i := range ws {
		ws[i] = testWatch(cn, 0)
		if err := play(b, cn, created(int64(i+1), 1)); err != nil {
			b.Fatal(err)
		}
	}
	cn.out = nil
	return cn, ws
}

func BenchmarkDispatchToOneOfTenThousandWatches(b *testing.B) {
	const n = 10_000
	cn, ws := benchConn(b, n)
	var f watchFrame
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := int64(i%n) + 1
		f = watchFrame{header: Header{Revision: int64(i + 2)}, id: id, events: []Event{{KV: KV{Key: "k", ModRevision: int64(i + 2)}}}}
		if err := cn.dispatch(&f); err != nil {
			b.Fatal(err)
		}
		if ev, ok := ws[id-1].take(); !ok || len(ev.Events) != 1 {
			b.Fatal("the event did not arrive")
		}
	}
}

func BenchmarkDecodeWatchFrame(b *testing.B) {
	for _, n := range []int{1, 1000} {
		doc := eventFrame(7, 9, n, 128)
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			var rd jsonwire.Reader
			var f watchFrame
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := parseWatchFrame(&rd, doc, 0, &f); err != nil || len(f.events) != n {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBytesPerWatch(b *testing.B) {
	cn := testConn(b, 1)
	i := int64(0)
	b.ReportAllocs() // B/op is what a watch costs
	for b.Loop() {
		i++
		testWatch(cn, 0)
		if err := play(b, cn, created(i, 1)); err != nil {
			b.Fatal(err)
		}
		cn.out = cn.out[:0]
	}
}

func TestTheEndOfAStreamIsToldFromItsMessagesHoweverItIsSpaced(t *testing.T) {
	for doc, want := range map[string]bool{
		`{"error":{"code":1}}`: true, "{ \"error\": {} }": true, "{\n\t\"error\":null}": true,
		`{"result":{}}`: false, `{}`: false, `{"errors":1}`: false,
	} {
		require.Equal(t, want, endsStream([]byte(doc)), doc)
	}
}

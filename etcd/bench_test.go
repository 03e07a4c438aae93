package etcd

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/quorate/quorate/internal/jsonwire"
)

// benchOps are the operations that a busy program makes most.
var benchOps = map[string]Op{
	"put": Put("service/orders/000017", bytes.Repeat([]byte("v"), 128)),
	"get": Get(Key("service/orders/000017")),
	"acquire": Nest(Txn{
		If:   []Cmp{Missing(Key("lock/deploy/7f3a"))},
		Then: []Op{Put("lock/deploy/7f3a", []byte("w"), WithLease(42)), Get(Prefix("lock/deploy/"), WithLimit(1))},
		Else: []Op{Get(Key("lock/deploy/7f3a"))},
	}),
}

func BenchmarkEncode(b *testing.B) {
	for name, op := range benchOps {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1024)
			for b.Loop() {
				buf = appendRequestOp(buf[:0], "ns/", &op)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	const header = `"header":{"cluster_id":"14841639068965178418","member_id":"10276657743932975437","revision":"9","raft_term":"7"}`
	var kv, put []byte
	for i := range 120 {
		if i > 0 {
			kv, put = append(kv, ','), append(put, ',')
		}
		kv = fmt.Appendf(kv, `{"response_range":{"header":{"revision":"9"},"kvs":[{"key":%q,"create_revision":"2","mod_revision":"3","version":"4","value":%q}],"count":"1"}}`,
			"c2VydmljZS9vcmRlcnMvMDAwMDE3", bytes.Repeat([]byte("dmZm"), 43))
		put = append(put, `{"response_put":{"header":{"revision":"9"}}}`...)
	}
	for name, body := range map[string]string{
		"batch of 120 gets": `{` + header + `,"succeeded":true,"responses":[` + string(kv) + `]}`,
		"batch of 120 puts": `{` + header + `,"succeeded":true,"responses":[` + string(put) + `]}`,
	} {
		op := benchOps["get"]
		if name == "batch of 120 puts" {
			op = benchOps["put"]
		}
		calls := make([]*call, 120)
		for i := range calls {
			calls[i] = &call{op: op}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := decodeBatch(jsonwire.NewReader([]byte(body)), 0, calls); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPrepare makes a call ready to share a request: what it touches, how
// deep it is, and its part of the body.
func BenchmarkPrepare(b *testing.B) {
	for name, op := range benchOps {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k := &call{op: op}
				k.prepare("ns/")
			}
		})
	}
}

// BenchmarkTake puts batches together from a queue of calls on distinct keys.
func BenchmarkTake(b *testing.B) {
	for name, op := range benchOps {
		b.Run(name, func(b *testing.B) {
			g := newGroup(nil, 1, true)
			calls := make([]*call, 500)
			for i := range calls {
				calls[i] = &call{op: op}
				if op.kind != opTxn {
					calls[i].op.set = Key(fmt.Sprintf("service/orders/%06d", i))
				}
				calls[i].prepare("")
			}
			b.ReportAllocs()
			for b.Loop() {
				g.queue = append(g.queue[:0], calls...)
				g.take(maxTxnOps)
			}
		})
	}
}

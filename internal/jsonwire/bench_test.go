package jsonwire

import (
	"encoding/json"
	"fmt"
	"testing"
)

// The shapes of a reply as a client decodes them.
type (
	benchKV struct {
		key                           string
		value                         []byte
		create, mod, version, leaseID int64
	}
	benchHeader struct {
		cluster, member uint64
		revision        int64
		term            uint64
	}
)

func readHeader(r *Reader) (h benchHeader) {
	for key := range r.Object {
		switch string(key) {
		case "cluster_id":
			h.cluster = r.Uint64()
		case "member_id":
			h.member = r.Uint64()
		case "revision":
			h.revision = r.Int64()
		case "raft_term":
			h.term = r.Uint64()
		}
	}
	return h
}

func readKV(r *Reader) (kv benchKV) {
	for key := range r.Object {
		switch string(key) {
		case "key":
			kv.key = r.BytesString()
		case "value":
			kv.value = r.Bytes()
		case "create_revision":
			kv.create = r.Int64()
		case "mod_revision":
			kv.mod = r.Int64()
		case "version":
			kv.version = r.Int64()
		case "lease":
			kv.leaseID = r.Int64()
		}
	}
	return kv
}

// readTxn reads a txn's reply whose responses are ranges or puts.
func readTxn(r *Reader, kvs []benchKV) ([]benchKV, benchHeader, bool, error) {
	var header benchHeader
	var ok bool
	for key := range r.Object {
		switch string(key) {
		case "header":
			header = readHeader(r)
		case "succeeded":
			ok = r.Bool()
		case "responses":
			for range r.Array {
				for range r.Object { // response_range or response_put
					for key := range r.Object {
						switch string(key) {
						case "header":
							readHeader(r)
						case "kvs":
							for range r.Array {
								kvs = append(kvs, readKV(r))
							}
						case "count":
							r.Int64()
						}
					}
				}
			}
		}
	}
	return kvs, header, ok, r.End()
}

const (
	benchHeaderJSON = `{"header":{"cluster_id":"15118495548433857066", "member_id":"13668033151171901709", "revision":"123456", "raft_term":"2"}, "succeeded":true, "responses":[`
	putJSON         = `{"response_put":{"header":{"revision":"123456"}}}`
)

// rangesReply is what 120 gets of one key each come back as.
func rangesReply(n, size int) []byte {
	b := []byte(benchHeaderJSON)
	value := make([]byte, size)
	for i := range n {
		for j := range value {
			value[j] = byte(i*31 + j*7)
		}
		b = append(AppendElem(b), `{"response_range":{"header":{"revision":"123456"}, "kvs":[{`...)
		b = AppendBase64StringField(b, "key", fmt.Sprintf("bench/key/%06d", i))
		b = append(b, fmt.Sprintf(`, "create_revision":"%d", "mod_revision":"%d", "version":"%d"`, 100000+i, 123000+i, i+1)...)
		b = AppendBase64Field(b, "value", value)
		b = append(b, `}], "count":"1"}}`...)
	}
	return append(b, "]}"...)
}

func putsReply(n int) []byte {
	b := []byte(benchHeaderJSON)
	for range n {
		b = append(AppendElem(b), putJSON...)
	}
	return append(b, "]}"...)
}

func BenchmarkDecode(b *testing.B) {
	for _, bm := range []struct {
		name string
		doc  []byte
		kvs  int
	}{
		{"120ranges", rangesReply(120, 128), 120},
		{"120puts", putsReply(120), 0},
		{"1range", rangesReply(1, 128), 1},
		{"1rangeOf64KiB", rangesReply(1, 64<<10), 1},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.doc)))
			b.ReportAllocs()
			kvs := make([]benchKV, 0, 120)
			var r Reader
			for b.Loop() {
				r.Reset(bm.doc)
				got, _, ok, err := readTxn(&r, kvs)
				if err != nil || !ok || len(got) != bm.kvs {
					b.Fatal(err, ok, len(got))
				}
			}
		})
	}
}

func BenchmarkDecodeWithEncodingJSON(b *testing.B) {
	type kv struct {
		Key, Value []byte
		Create     int64 `json:"create_revision,string"`
		Mod        int64 `json:"mod_revision,string"`
		Version    int64 `json:"version,string"`
	}
	doc := rangesReply(120, 128)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var txn struct {
			Succeeded bool
			Responses []struct {
				Range struct {
					KVs   []kv
					Count int64 `json:",string"`
				} `json:"response_range"`
			}
		}
		if err := json.Unmarshal(doc, &txn); err != nil || len(txn.Responses) != 120 {
			b.Fatal(err)
		}
	}
}

func BenchmarkSkip(b *testing.B) {
	doc := rangesReply(120, 128)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	var r Reader
	for b.Loop() {
		r.Reset(doc)
		r.Skip()
		if err := r.End(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode120Puts(b *testing.B) {
	value := make([]byte, 128)
	keys := make([]string, 120)
	for i := range keys {
		keys[i] = fmt.Sprintf("bench/key/%06d", i)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = append(buf[:0], `{"success":[`...)
		for _, key := range keys {
			buf = append(AppendElem(buf), `{"request_put":{`...)
			buf = AppendBase64StringField(buf, "key", key)
			buf = AppendBase64Field(buf, "value", value)
			buf = AppendInt64Field(buf, "lease", 7587869134793810447)
			buf = append(buf, "}}"...)
		}
		buf = append(buf, "]}"...)
		b.SetBytes(int64(len(buf)))
	}
}

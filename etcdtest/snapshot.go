package etcdtest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
)

// snapshotChunk is how much of a snapshot one message holds.
const snapshotChunk = 32 << 10

type snapshotReply struct {
	Header         *headerReply `json:"header,omitempty"`
	RemainingBytes uint64       `json:"remaining_bytes,string,omitempty"`
	Blob           []byte       `json:"blob,omitempty"`
	Version        string       `json:"version,omitempty"`
}

// serveSnapshot streams a snapshot in etcd's framing: chunks, then one message
// with the SHA-256 of them all. The content is our own, not a database that
// etcd could read: the keys as JSON, padded to whole pages of 512 bytes.
func (s *Server) serveSnapshot(c *call) {
	c.request = &Request{Path: c.path, Member: c.member}
	s.withStreamFaults(c, func(out *flusher) {
		err := s.ready(c)
		var data any
		if err == nil {
			data, err = s.inOrder(c, func() (any, *Error) {
				return s.snapshot(), s.maintainer(c)
			})
		}
		if err != nil {
			_ = out.write(s.errorFrame(err), err.status()) // the last word either way
			return
		}
		blob, _ := data.([]byte)
		var version string
		if s.minor >= 6 {
			version = fmt.Sprintf("3.%d.0", s.minor)
		}
		sum := sha256.Sum256(blob)
		for left := blob; len(left) > 0; {
			chunk := left[:min(len(left), snapshotChunk)]
			left = left[len(chunk):]
			m := snapshotReply{RemainingBytes: uint64(len(left)), Blob: chunk, Version: version}
			if out.write(frame(m), http.StatusOK) != nil {
				return
			}
		}
		_ = out.write(frame(snapshotReply{Blob: sum[:], Version: version}), http.StatusOK) // the last message
	})
}

// snapshot encodes every key as it is now. The caller holds the mutex.
func (s *Server) snapshot() []byte {
	rep := struct {
		Revision int64      `json:"revision"`
		KVs      []*kvReply `json:"kvs"`
	}{Revision: s.store.rev}
	s.store.visible(span{"\x00", "\x00"}, s.store.rev, func(kv *KeyValue) bool {
		rep.KVs = append(rep.KVs, newKVReply(kv))
		return true
	})
	b, err := json.Marshal(rep)
	if err != nil {
		return nil // plain structs always encode
	}
	for len(b) == 0 || len(b)%512 != 0 {
		b = append(b, '\n')
	}
	return b
}

package etcdtest

import (
	"bytes"
	"cmp"
	"slices"
)

// rangeKVs answers a range at a revision that was checked.
func (s *Server) rangeKVs(r *rangeRequest, rev int64) *rangeReply {
	rep := &rangeReply{}
	if r.countOnly {
		s.store.visible(r.span, rev, func(*KeyValue) bool { rep.Count++; return true })
		return rep
	}
	filtered := r.minMod|r.maxMod|r.minCreate|r.maxCreate != 0
	sorted := r.order != 0 && (r.target != 0 || r.order != 1)
	if r.target != 0 && r.order == 0 {
		sorted = true // a target without an order sorts in ascending order
	}
	limit := r.limit
	stop := limit
	// As in etcd, a target without an order still reads no more than the limit
	// (and one) before it sorts.
	if filtered || r.order != 0 && sorted {
		stop = 0
	}
	var kvs []*KeyValue
	s.store.visible(r.span, rev, func(kv *KeyValue) bool {
		rep.Count++ // the count is of the whole range, before any filter
		if stop <= 0 || int64(len(kvs)) <= stop {
			kvs = append(kvs, kv)
		}
		return true
	})
	if filtered {
		kvs = slices.DeleteFunc(kvs, func(kv *KeyValue) bool {
			return r.maxMod != 0 && kv.ModRevision > r.maxMod || kv.ModRevision < r.minMod ||
				r.maxCreate != 0 && kv.CreateRevision > r.maxCreate || kv.CreateRevision < r.minCreate
		})
	}
	if sorted {
		r.sort(kvs)
	}
	if limit > 0 && int64(len(kvs)) > limit {
		kvs, rep.More = kvs[:limit], true
	}
	rep.KVs = newKVReplies(kvs)
	if r.keysOnly {
		for _, kv := range rep.KVs {
			kv.Value = nil
			if s.minor >= 7 && r.target != 4 {
				kv.Lease = 0 // 3.7 answers from its index, which knows no leases
			}
		}
	}
	return rep
}

func (r *rangeRequest) sort(kvs []*KeyValue) {
	slices.SortStableFunc(kvs, func(a, b *KeyValue) int {
		c := 0
		switch r.target {
		case 0:
			c = cmp.Compare(a.Key, b.Key)
		case 1:
			c = cmp.Compare(a.Version, b.Version)
		case 2:
			c = cmp.Compare(a.CreateRevision, b.CreateRevision)
		case 3:
			c = cmp.Compare(a.ModRevision, b.ModRevision)
		case 4:
			c = bytes.Compare(a.Value, b.Value)
		}
		if r.order == 2 {
			return -c
		}
		return c
	})
}

// checkPut looks at what a put needs from the state: its lease, and a previous
// value where it keeps part of it.
func (s *Server) checkPut(p *putRequest) *Error {
	if p.lease != 0 && s.leases[p.lease] == nil {
		return errLeaseNotFound
	}
	if (p.ignoreValue || p.ignoreLease) && s.store.get(p.key, s.store.rev) == nil {
		return errKeyNotFound
	}
	return nil
}

// applyPut puts within w. The put was checked.
func (s *Server) applyPut(w *write, p *putRequest) *putReply {
	prev := s.store.get(p.key, w.rev)
	value, lease := p.value, p.lease
	if prev != nil && p.ignoreValue {
		value = prev.Value
	}
	if prev != nil && p.ignoreLease {
		lease = prev.Lease
	}
	w.put(p.key, value, lease)
	if prev != nil {
		s.detach(prev.Lease, p.key)
	}
	s.attach(lease, p.key)
	rep := &putReply{Header: &headerReply{Revision: w.rev}}
	if p.prevKV {
		rep.PrevKV = newKVReply(prev)
	}
	return rep
}

// applyDelete deletes within w.
func (s *Server) applyDelete(w *write, r *deleteRequest) *deleteReply {
	gone := w.delete(r.span)
	for _, kv := range gone {
		s.detach(kv.Lease, kv.Key)
	}
	rep := &deleteReply{Header: &headerReply{Revision: w.headRev()}, Deleted: int64(len(gone))}
	if r.prevKV {
		rep.PrevKVs = newKVReplies(gone)
	}
	return rep
}

package etcdtest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// What a test can see of the cluster without asking it over HTTP.

// Revision returns the current revision.
func (s *Server) Revision() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.rev
}

// CompactRevision returns the revision of the last compaction, 0 before the
// first.
func (s *Server) CompactRevision() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.store.compacted, 0)
}

// Get returns a key as it is now.
func (s *Server) Get(key string) (KeyValue, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kv := s.store.get(key, s.store.rev)
	if kv == nil {
		return KeyValue{}, false
	}
	return *kv, true
}

// Keys returns the keys that begin with prefix, in order.
func (s *Server) Keys(prefix string) []string {
	var keys []string
	for _, kv := range s.KeyValues(prefix) {
		keys = append(keys, kv.Key)
	}
	return keys
}

// KeyValues returns the keys that begin with prefix and their values, in
// order.
func (s *Server) KeyValues(prefix string) []KeyValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kvs []KeyValue
	s.store.visible(span{prefix, "\x00"}, s.store.rev, func(kv *KeyValue) bool {
		if !strings.HasPrefix(kv.Key, prefix) {
			return false
		}
		kvs = append(kvs, *kv)
		return true
	})
	return kvs
}

// Events returns every change since the cluster was made or wiped, in order of
// commit, compacted ones included.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.store.log)
}

// Lease is one line of the lease table.
type Lease struct {
	ID int64
	// TTL is what was granted and Remaining what is left of it.
	TTL, Remaining time.Duration
	// Renewals counts keep-alives, and full TTLs given by a new leader.
	Renewals int64
	// Keys are attached to the lease, in order.
	Keys []string
}

// Leases returns the lease table by ID.
func (s *Server) Leases() []Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Lease
	for _, id := range slices.Sorted(maps.Keys(s.leases)) {
		l := s.leases[id]
		out = append(out, Lease{
			ID: id, TTL: l.duration(), Remaining: max(0, time.Until(l.expires)),
			Renewals: l.renewed - 1, Keys: l.sortedKeys(),
		})
	}
	return out
}

// Requests returns how many requests came for each path.
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// WatchStreams returns how many watch streams are open.
func (s *Server) WatchStreams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// Watches returns how many watches are live, over all streams.
func (s *Server) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for ws := range s.streams {
		n += len(ws.watchers)
	}
	return n
}

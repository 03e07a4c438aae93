package etcdtest

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	minLeaseTTL = 2          // seconds; from the default election timeout
	maxLeaseTTL = 9000000000 // seconds; the longest that fits a time.Duration
)

// lease is one lease. The server's mutex guards it.
type lease struct {
	id      int64
	ttl     int64 // seconds
	expires time.Time
	keys    map[string]struct{}
	timer   *timer
	renewed int64
}

func (l *lease) duration() time.Duration { return time.Duration(l.ttl) * time.Second }

func (l *lease) sortedKeys() []string {
	keys := make([]string, 0, len(l.keys))
	for k := range l.keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) grant(id, ttl int64) (*lease, *Error) {
	if ttl > maxLeaseTTL {
		return nil, errTTLTooLarge
	}
	for id == 0 {
		if id = rand.Int64(); s.leases[id] != nil {
			id = 0
		}
	}
	if s.leases[id] != nil {
		return nil, errLeaseExists
	}
	l := &lease{id: id, ttl: max(ttl, minLeaseTTL), keys: make(map[string]struct{})}
	s.leases[id] = l
	s.granted[id] = l.ttl
	s.renew(l)
	return l, nil
}

// renew gives a lease its full TTL again.
func (s *Server) renew(l *lease) {
	l.expires = time.Now().Add(l.duration())
	l.renewed++
	if l.timer != nil {
		l.timer.stop()
	}
	l.timer = s.after(l.duration(), func() { s.expire(l) })
}

// expire ends a lease whose time is up. A cluster without a leader expires
// nothing: the lease waits for one, which gives it a full TTL again.
func (s *Server) expire(l *lease) {
	if s.leases[l.id] != l || time.Now().Before(l.expires) || !s.hasQuorum() {
		return
	}
	s.revoke(l)
}

// revoke removes a lease and deletes its keys, in key order, at one revision.
func (s *Server) revoke(l *lease) {
	l.timer.stop()
	delete(s.leases, l.id)
	w := s.store.begin()
	for _, k := range l.sortedKeys() {
		w.delete(span{key: k})
	}
	s.commit(w)
}

func (s *Server) attach(id int64, key string) {
	if l := s.leases[id]; l != nil {
		l.keys[key] = struct{}{}
	}
}

func (s *Server) detach(id int64, key string) {
	if l := s.leases[id]; l != nil {
		delete(l.keys, key)
	}
}

// ttlLeft is what is left of a lease in whole seconds, as etcd rounds it.
func (l *lease) ttlLeft() int64 {
	return max(0, int64(time.Until(l.expires).Seconds()))
}

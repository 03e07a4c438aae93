package etcdtest

import "fmt"

// What a test can do to the cluster behind its clients' backs.

// Put puts a key, without a lease, and returns its revision.
func (s *Server) Put(key string, value []byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.store.begin()
	s.applyPut(w, &putRequest{key: key, value: value})
	s.commit(w)
	return s.store.rev
}

// Delete deletes a key, as an operator does by hand, and says whether it was
// there.
func (s *Server) Delete(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.store.begin()
	rep := s.applyDelete(w, &deleteRequest{span: span{key: key}})
	s.commit(w)
	return rep.Deleted > 0
}

// Compact compacts the history at rev.
func (s *Server) Compact(rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.store.compact(rev); err != nil {
		return fmt.Errorf("etcdtest: compact at revision %d: %w", rev, err)
	}
	return nil
}

// ExpireLease ends a lease as if its time were up, and says whether it was
// there.
func (s *Server) ExpireLease(id int64) bool { return s.RevokeLease(id) }

// RevokeLease ends a lease as an operator does by hand, and says whether it
// was there. Its keys are deleted at one revision.
func (s *Server) RevokeLease(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[id]
	if l != nil {
		s.revoke(l)
	}
	return l != nil
}

// SetNoSpace raises or ends the alarm NOSPACE: puts are refused, deletes pass.
func (s *Server) SetNoSpace(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.activeAlarms(noSpace) {
		delete(s.alarms, a)
	}
	if on {
		s.alarms[alarm{s.members[0].id, noSpace}] = true
	}
}

// ExpireTokens makes every token invalid that any member has issued.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		clear(m.tokens)
	}
}

// DropWatches breaks the connection of every watch stream.
func (s *Server) DropWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ws := range s.streams {
		if ws.conn != nil {
			ws.conn.abort()
		}
		ws.end(nil)
	}
}

// StallWatches holds all events back, and answers no progress request of a
// stream that has missed one, until ResumeWatches. The streams stay open.
func (s *Server) StallWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stallWatches = true
}

// ResumeWatches ends StallWatches: what was missed is delivered.
func (s *Server) ResumeWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stallWatches = false
	if !s.closed {
		s.release()
	}
}

// Wipe replaces the cluster by an empty one at the same addresses, as if its
// data directories had been removed: another cluster ID, revision 1, no
// leases, no users. All connections break.
func (s *Server) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		l.timer.stop()
	}
	clear(s.leases)
	clear(s.alarms)
	s.store = newStore()
	s.auth = newAuthStore()
	s.reborn()
}

// Restore replaces the cluster by one restored from a snapshot taken at rev:
// another cluster ID, the keys as they were, and nothing that came after. All
// connections break. A revision that was compacted or is to come is refused.
func (s *Server) Restore(rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev < 1 || rev > s.store.rev || rev < s.store.compacted {
		return fmt.Errorf("etcdtest: restore revision %d: not between %d and %d", rev, max(1, s.store.compacted), s.store.rev)
	}
	s.store.truncate(rev)
	for _, l := range s.leases {
		clear(l.keys)
		s.renew(l)
	}
	s.store.visible(span{"\x00", "\x00"}, rev, func(kv *KeyValue) bool {
		if kv.Lease != 0 && s.leases[kv.Lease] == nil {
			// It was revoked after the snapshot, so the snapshot holds it.
			_, _ = s.grant(kv.Lease, s.granted[kv.Lease]) // it was granted before, so it can be again
		}
		s.attach(kv.Lease, kv.Key)
		return true
	})
	s.reborn()
	return nil
}

// reborn gives the cluster a new identity. The caller holds the mutex.
func (s *Server) reborn() {
	s.clusterID = newID()
	for _, m := range s.members {
		m.id = newID()
		m.starts++
		clear(m.tokens)
		m.view = min(m.view, s.store.rev)
	}
	for ws := range s.streams {
		ws.end(nil)
	}
	s.cut(func(*serverConn) bool { return true })
	s.settle()
}

// truncate forgets everything after rev.
func (st *store) truncate(rev int64) {
	st.keys.keep(func(h *history) bool {
		for n := len(h.vers); n > 0 && h.vers[n-1].ModRevision > rev; n-- {
			st.bytes -= h.vers[n-1].size()
			h.vers = h.vers[:n-1]
		}
		return len(h.vers) > 0
	})
	for n := len(st.log); n > 0 && st.log[n-1].Revision > rev; n-- {
		st.log = st.log[:n-1]
	}
	st.rev = rev
}

package etcd

import "strings"

// A kind is what is to be removed under keys that are not known beforehand.
type kind struct {
	prefix string
	match  func(KV) bool
}

// maxKinds bounds how many of them a session looks for.
const maxKinds = 256

// AbandonMatching is Abandon where somebody else may bind a key, of a name that
// is not known, to the session's lease on behalf of someone who does not wait
// for it any more: as long as the session lives it looks for keys that start
// with prefix, are bound to its lease and satisfy match, and deletes them. match
// is called on the session's goroutine and must be quick. Of more than 256 in
// the life of a session the oldest are forgotten, which is logged.
func (s *Session) AbandonMatching(prefix string, match func(KV) bool) {
	j := &s.janitor
	j.mu.Lock()
	defer j.mu.Unlock()
	if match == nil || !s.hasJanitor() {
		return
	}
	if j.kinds = append(j.kinds, kind{prefix, match}); len(j.kinds) > maxKinds {
		s.c.log.Warn("etcd session forgets what it looks for: there is too much", "lease", s.id.String(), "prefix", quoteKey(j.kinds[0].prefix))
		j.kinds = j.kinds[1:]
	}
	j.nudge()
}

// matches gives what a key may have to satisfy to be removed. The caller holds
// the mutex.
func (j *janitor) matches(key string) []func(KV) bool {
	var matches []func(KV) bool
	for _, k := range j.kinds {
		if strings.HasPrefix(key, k.prefix) {
			matches = append(matches, k.match)
		}
	}
	return matches
}

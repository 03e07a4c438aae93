package etcdtest

// span is a key or a range as the v3 API writes it: an empty end is the key
// alone, an end of one zero byte is everything from the key on.
type span struct {
	key, end string
}

func (s span) single() bool    { return s.end == "" }
func (s span) openEnded() bool { return s.end == "\x00" }

// contains says whether key lies in s.
func (s span) contains(key string) bool {
	if s.single() {
		return key == s.key
	}
	return key >= s.key && (s.openEnded() || key < s.end)
}

// covers says whether all of t lies in s.
func (s span) covers(t span) bool {
	if t.single() {
		return s.contains(t.key)
	}
	if s.single() {
		return false
	}
	return t.key >= s.key && (s.openEnded() || (!t.openEnded() && t.end <= s.end))
}

// empty says whether no key can lie in s.
func (s span) empty() bool {
	return !s.single() && !s.openEnded() && s.key >= s.end
}

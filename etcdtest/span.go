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

// empty says whether no key can lie in s.
func (s span) empty() bool {
	return !s.single() && !s.openEnded() && s.key >= s.end
}

// prefix says whether s holds exactly the keys that begin with s.key.
func (s span) prefix() bool {
	if s.key == "" || s.end == "" {
		return false
	}
	for i := len(s.key) - 1; i >= 0; i-- {
		if c := s.key[i]; c < 0xff {
			return s.end == s.key[:i]+string([]byte{c + 1})
		}
	}
	return s.openEnded()
}

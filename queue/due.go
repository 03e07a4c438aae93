package queue

import "github.com/quorate/quorate/etcd"

// A dueSearch goes through what is due in portions, each behind the one before:
// the server steps over every key of a range that is asked for, and over those
// that were removed since the last compaction.
//
// Where it ends is fixed when it begins. If it went on to what has become due
// meanwhile, it would not end where a request takes longer than the millisecond
// in which due times are told. And it goes back only behind a due time that was
// written meanwhile, not to where it began: others may write such all the time.
type dueSearch struct {
	low   string // all below was looked at
	to    string // the end of the portion
	until int64  // the last due time to look for, ms
	told  int64  // the revision of the last word of the first due time; it began after that
	span  int64  // of a portion, ms
}

const (
	firstSpan = 1000
	maxSpan   = 1 << 40
)

// begin takes in from when on something may be due, as it was told at a revision,
// and the first due time that was written since the last time.
func (s *dueSearch) begin(k keys, from, told, written, now int64) {
	if s.low == "" || told != s.told {
		s.low, s.told, s.span, s.until = k.laters()+hex16(from), told, max(s.span, firstSpan), now
	} else if written != never {
		s.low = min(s.low, k.laters()+hex16(written))
	}
}

// next gives where to look next, or reports that all was looked at.
func (s *dueSearch) next(k keys) (set etcd.KeySet, last bool) {
	end := k.laters() + hex16(s.until+1)
	if s.low >= end {
		return set, true
	}
	s.to = min(k.laters()+hex16(timeOf(k.laters(), s.low)+s.span), end)
	return etcd.Range(s.low, s.to), false
}

// looked takes in what was found there, and is promoted.
func (s *dueSearch) looked(kvs []etcd.KV) {
	if len(kvs) == 0 {
		s.low, s.span = s.to, min(s.span*4, maxSpan)
		return
	}
	s.low = kvs[len(kvs)-1].Key + "\x00"
	if len(kvs) >= promotePage {
		s.span = max(s.span/2, 1)
	}
}

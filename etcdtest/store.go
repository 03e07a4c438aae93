package etcdtest

import (
	"slices"
	"sort"
)

// KeyValue is one version of a key. It is never changed once it is stored; who
// receives one must not change its Value.
type KeyValue struct {
	Key            string
	Value          []byte
	CreateRevision int64
	ModRevision    int64
	Version        int64
	Lease          int64
}

// Event is one change of one key.
type Event struct {
	// Revision is the revision that the change was committed at.
	Revision int64
	// Sub is the place of the change among those of its revision, from 0.
	Sub int
	// Deleted says that the key was deleted; otherwise it was put.
	Deleted bool
	// KV is the key after the change. For a deletion only its Key and
	// ModRevision are set.
	KV *KeyValue
	// Prev is the key as it was before Revision, nil where it did not exist.
	Prev *KeyValue
}

// store is the multi-version key space. The server's mutex guards it.
type store struct {
	rev int64
	// compacted is the revision of the last compaction, -1 before the first.
	// Reads at it still work, below it they do not.
	compacted int64
	keys      index
	log       []Event
	// bytes is what all stored versions take, the size of the database as far
	// as a quota is concerned.
	bytes int64
}

func newStore() *store { return &store{rev: 1, compacted: -1} }

// visible calls f for every key of sp that existed at rev, in key order.
func (st *store) visible(sp span, rev int64, f func(*KeyValue) bool) {
	st.keys.scan(sp, func(h *history) bool {
		if kv := h.at(rev); kv != nil {
			return f(kv)
		}
		return true
	})
}

// get returns one key at rev, or nil.
func (st *store) get(key string, rev int64) *KeyValue {
	if h := st.keys.get(key); h != nil {
		return h.at(rev)
	}
	return nil
}

// events returns the logged events of revisions from to to, both included.
func (st *store) events(from, to int64) []Event {
	i := sort.Search(len(st.log), func(i int) bool { return st.log[i].Revision >= from })
	j := sort.Search(len(st.log), func(i int) bool { return st.log[i].Revision > to })
	return st.log[i:j]
}

// compact forgets what only reads below rev could see.
func (st *store) compact(rev int64) *Error {
	if rev <= st.compacted {
		return errCompacted
	}
	if rev > st.rev {
		return errFutureRev
	}
	st.compacted = rev
	st.keys.keep(func(h *history) bool {
		i := len(h.vers) - 1
		for i > 0 && h.vers[i].ModRevision > rev {
			i--
		}
		if h.vers[i].ModRevision <= rev && h.vers[i].Version == 0 {
			i++ // a tombstone is not needed at or after its revision
		}
		for _, kv := range h.vers[:i] {
			st.bytes -= kv.size()
		}
		h.vers = slices.Delete(h.vers, 0, i)
		return len(h.vers) > 0
	})
	return nil
}

// size is what one version counts against the quota.
func (kv *KeyValue) size() int64 { return int64(len(kv.Key)+len(kv.Value)) + 64 }

// write collects the changes of one revision.
type write struct {
	st     *store
	rev    int64
	events []Event
}

func (st *store) begin() *write { return &write{st: st, rev: st.rev + 1} }

// headRev is the revision that a reply from inside the write carries.
func (w *write) headRev() int64 {
	if len(w.events) == 0 {
		return w.st.rev
	}
	return w.rev
}

func (w *write) put(key string, value []byte, lease int64) {
	h := w.st.keys.ensure(key)
	kv := &KeyValue{Key: key, Value: value, CreateRevision: w.rev, ModRevision: w.rev, Version: 1, Lease: lease}
	if old := h.at(w.rev); old != nil {
		kv.CreateRevision = old.CreateRevision
		kv.Version = old.Version + 1
	}
	w.record(h, kv, false)
}

// delete removes every key of sp and returns what it removed.
func (w *write) delete(sp span) []*KeyValue {
	var gone []*KeyValue
	w.st.visible(sp, w.rev, func(kv *KeyValue) bool {
		gone = append(gone, kv)
		return true
	})
	for _, kv := range gone {
		w.record(w.st.keys.get(kv.Key), &KeyValue{Key: kv.Key, ModRevision: w.rev}, true)
	}
	return gone
}

func (w *write) record(h *history, kv *KeyValue, deleted bool) {
	w.events = append(w.events, Event{
		Revision: w.rev, Sub: len(w.events), Deleted: deleted, KV: kv, Prev: h.at(w.rev - 1),
	})
	h.vers = append(h.vers, kv)
	w.st.bytes += kv.size()
}

// commit makes the write's revision the current one, if it changed anything.
func (w *write) commit() {
	if len(w.events) > 0 {
		w.st.rev = w.rev
		w.st.log = append(w.st.log, w.events...)
	}
}

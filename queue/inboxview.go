package queue

import "github.com/quorate/quorate/etcd"

// inboxView is what a consumer that watches the inbox knows of it: from some
// revision on all that there is, so that nobody has to read it.
type inboxView struct {
	n       int64 // jobs in it
	put     spot  // when one was put last
	emptyAt int64 // a revision at which there were none
	more    bool  // the last listing has shown some; it is to be seen whether these were all

	from  int64            // of the jobs put after this revision,
	there map[string]int64 // those that are there still, and since when,
	puts  []etcd.KV        // in the order of their commits, with some that are not
	bytes int              // of puts
}

const (
	maxInbox      = 5000
	maxInboxBytes = 8 << 20
)

// counted begins the view with the number of jobs at a revision.
func (v *inboxView) counted(n int64, at spot) {
	v.n, v.put, v.more = n, at, false
	v.forget(at.rev)
	if n == 0 {
		v.emptied(at.rev)
	}
}

// forget gives up what is known of jobs put up to a revision.
func (v *inboxView) forget(rev int64) {
	v.from, v.there, v.puts, v.bytes = rev, nil, nil, 0
}

// emptied takes in that there were no jobs at a revision.
func (v *inboxView) emptied(rev int64) {
	v.emptyAt = max(v.emptyAt, rev)
	for key, since := range v.there {
		if since <= rev {
			delete(v.there, key)
		}
	}
}

// see takes in that a job was put, or is gone.
func (v *inboxView) see(kv etcd.KV, deleted bool, at spot) {
	switch {
	case deleted:
		v.n--
		delete(v.there, kv.Key)
		return
	case kv.Version == 1:
		v.n++
		v.put = at
	}
	if kv.ModRevision <= v.emptyAt {
		return
	}
	if v.there == nil {
		v.there = make(map[string]int64)
	}
	v.there[kv.Key] = kv.ModRevision
	v.puts = append(v.puts, kv)
	if v.bytes += len(kv.Value) + 256; len(v.puts) > maxInbox || v.bytes > maxInboxBytes {
		v.forget(kv.ModRevision)
	}
}

// complete reports whether all jobs that there are, are known.
func (v *inboxView) complete() bool { return v.emptyAt >= v.from }

// full reports whether there is something to do.
func (v *inboxView) full() bool {
	if v.complete() {
		return len(v.there) > 0
	}
	return v.more || v.n > 0 && v.put.rev > v.emptyAt
}

// first gives the first jobs that are known, n at most.
func (v *inboxView) first(n int) (kvs []etcd.KV) {
	for len(v.puts) > 0 && v.there[v.puts[0].Key] != v.puts[0].ModRevision {
		v.bytes -= len(v.puts[0].Value) + 256
		v.puts[0] = etcd.KV{}
		v.puts = v.puts[1:]
	}
	for _, kv := range v.puts {
		if v.there[kv.Key] == kv.ModRevision {
			if kvs = append(kvs, kv); len(kvs) == n {
				break
			}
		}
	}
	return kvs
}

// moved takes in that jobs are not there any more as they were.
func (v *inboxView) moved(kvs []etcd.KV) {
	for _, kv := range kvs {
		if v.there[kv.Key] == kv.ModRevision {
			delete(v.there, kv.Key)
		}
	}
}

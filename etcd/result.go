package etcd

// A Header tells where and when an answer was made.
type Header struct {
	ClusterID uint64 // of the cluster; another one after a wipe
	MemberID  uint64 // of the member that answered
	// Revision is the revision of the whole key space when the answer was
	// made; of a write, the revision of its commit. Calls that shared a commit
	// have the same revision (see Config.NoGroupCommit).
	Revision int64
	RaftTerm uint64 // grows with every election among the members
}

// A KV is a key with its value and history.
type KV struct {
	Key            string  // below the client's namespace
	Value          []byte  // nil if it is empty or was not asked for
	CreateRevision int64   // the revision that created the key
	ModRevision    int64   // the revision that last changed it
	Version        int64   // number of changes since it was created; 1 is the creation
	Lease          LeaseID // the lease it is bound to, or 0
}

// GetResult is what a Get read.
type GetResult struct {
	Header Header
	KVs    []KV
	More   bool  // there were more keys than the limit
	Count  int64 // number of keys in the set, whatever the limit
}

// First gives the first key read, and whether there was one.
func (r *GetResult) First() (KV, bool) {
	if r == nil || len(r.KVs) == 0 {
		return KV{}, false
	}
	return r.KVs[0], true
}

// PutResult is what a Put did.
type PutResult struct {
	Header Header
	Prev   *KV // what was overwritten, if WithPrev asked for it and there was something
}

// DeleteResult is what a Delete did.
type DeleteResult struct {
	Header  Header
	Deleted int64 // number of keys deleted
	Prev    []KV  // what was deleted, if WithPrev asked for it
}

// TxnResult is what a Txn did.
type TxnResult struct {
	Header    Header
	Succeeded bool       // If held, so Then was carried out; otherwise Else
	Results   []OpResult // one for each operation carried out, in order
}

// An OpResult is the result of one operation of a Txn. Exactly the field of
// the operation's kind is set.
type OpResult struct {
	Get    *GetResult
	Put    *PutResult
	Delete *DeleteResult
	Txn    *TxnResult
}

package etcdtest

// The replies, as the gateway writes them: int64 as strings, zero fields
// absent.

type headerReply struct {
	ClusterID uint64 `json:"cluster_id,string,omitempty"`
	MemberID  uint64 `json:"member_id,string,omitempty"`
	Revision  int64  `json:"revision,string,omitempty"`
	RaftTerm  uint64 `json:"raft_term,string,omitempty"`
}

type kvReply struct {
	Key            []byte `json:"key,omitempty"`
	CreateRevision int64  `json:"create_revision,string,omitempty"`
	ModRevision    int64  `json:"mod_revision,string,omitempty"`
	Version        int64  `json:"version,string,omitempty"`
	Value          []byte `json:"value,omitempty"`
	Lease          int64  `json:"lease,string,omitempty"`
}

func newKVReply(kv *KeyValue) *kvReply {
	if kv == nil {
		return nil
	}
	return &kvReply{[]byte(kv.Key), kv.CreateRevision, kv.ModRevision, kv.Version, kv.Value, kv.Lease}
}

func newKVReplies(kvs []*KeyValue) []*kvReply {
	out := make([]*kvReply, len(kvs))
	for i, kv := range kvs {
		out[i] = newKVReply(kv)
	}
	return out
}

type rangeReply struct {
	Header *headerReply `json:"header,omitempty"`
	KVs    []*kvReply   `json:"kvs,omitempty"`
	More   bool         `json:"more,omitempty"`
	Count  int64        `json:"count,string,omitempty"`
}

type putReply struct {
	Header *headerReply `json:"header,omitempty"`
	PrevKV *kvReply     `json:"prev_kv,omitempty"`
}

type deleteReply struct {
	Header  *headerReply `json:"header,omitempty"`
	Deleted int64        `json:"deleted,string,omitempty"`
	PrevKVs []*kvReply   `json:"prev_kvs,omitempty"`
}

type opReply struct {
	Range *rangeReply  `json:"response_range,omitempty"`
	Put   *putReply    `json:"response_put,omitempty"`
	Del   *deleteReply `json:"response_delete_range,omitempty"`
	Txn   *txnReply    `json:"response_txn,omitempty"`
}

type txnReply struct {
	Header    *headerReply `json:"header,omitempty"`
	Succeeded bool         `json:"succeeded,omitempty"`
	Responses []*opReply   `json:"responses,omitempty"`
}

// headerOnly is the reply of calls that answer nothing else.
type headerOnly struct {
	Header *headerReply `json:"header,omitempty"`
}

type eventReply struct {
	Type   string   `json:"type,omitempty"`
	KV     *kvReply `json:"kv,omitempty"`
	PrevKV *kvReply `json:"prev_kv,omitempty"`
}

type watchReply struct {
	Header          *headerReply `json:"header,omitempty"`
	WatchID         int64        `json:"watch_id,string,omitempty"`
	Created         bool         `json:"created,omitempty"`
	Canceled        bool         `json:"canceled,omitempty"`
	CompactRevision int64        `json:"compact_revision,string,omitempty"`
	CancelReason    string       `json:"cancel_reason,omitempty"`
	Fragment        bool         `json:"fragment,omitempty"`
	Events          []eventReply `json:"events,omitempty"`
}

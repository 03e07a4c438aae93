package etcd

import (
	"strconv"

	"github.com/quorate/quorate/internal/jsonwire"
)

// A decoder reads replies. The gateway leaves zero fields out, writes 64-bit
// integers as strings and may add fields; fields not known here are skipped.
type decoder struct {
	*jsonwire.Reader
	ns int // length of the namespace that keys begin with
}

func (d decoder) header(h *Header) {
	for name := range d.Object {
		switch string(name) {
		case "cluster_id":
			h.ClusterID = d.Uint64()
		case "member_id":
			h.MemberID = d.Uint64()
		case "revision":
			h.Revision = d.Int64()
		case "raft_term":
			h.RaftTerm = d.Uint64()
		}
	}
}

// headerOf reads a reply of which only the header matters.
func (d decoder) headerOf(h *Header) {
	for name := range d.Object {
		if string(name) == "header" {
			d.header(h)
		}
	}
}

func (d decoder) kv(kv *KV) {
	for name := range d.Object {
		switch string(name) {
		case "key":
			k := d.BytesString()
			kv.Key = k[min(d.ns, len(k)):]
		case "value":
			kv.Value = d.Bytes()
		case "create_revision":
			kv.CreateRevision = d.Int64()
		case "mod_revision":
			kv.ModRevision = d.Int64()
		case "version":
			kv.Version = d.Int64()
		case "lease":
			kv.Lease = LeaseID(d.Int64())
		}
	}
}

// kvs reads keys. Each has a name, and a mere {} must not cost the memory of a
// key.
func (d decoder) kvs(dst []KV) []KV {
	for range d.Array {
		dst = append(dst, KV{})
		if d.kv(&dst[len(dst)-1]); dst[len(dst)-1].Key == "" {
			d.Refuse("key without a name")
		}
	}
	return dst
}

// Each of these reads a result. A nested result has a header that holds only
// the revision, or none: the outer one stands in for it.

func (d decoder) get(r *GetResult) {
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&r.Header)
		case "kvs":
			r.KVs = d.kvs(r.KVs)
		case "more":
			r.More = d.Bool()
		case "count":
			r.Count = d.Int64()
		}
	}
}

func (d decoder) put(r *PutResult) {
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&r.Header)
		case "prev_kv":
			r.Prev = new(KV)
			d.kv(r.Prev)
		}
	}
}

func (d decoder) delete(r *DeleteResult) {
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&r.Header)
		case "deleted":
			r.Deleted = d.Int64()
		case "prev_kvs":
			r.Prev = d.kvs(r.Prev)
		}
	}
}

func (d decoder) txn(r *TxnResult) {
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&r.Header)
		case "succeeded":
			r.Succeeded = d.Bool()
		case "responses":
			for range d.Array {
				r.Results = append(r.Results, OpResult{})
				d.opResult(&r.Results[len(r.Results)-1])
				if r.Results[len(r.Results)-1].kinds() == 0 {
					d.Refuse("an operation without a result")
				}
			}
		}
	}
}

func (d decoder) opResult(r *OpResult) { d.opResultIn(r, &slabs{}) }

// opResultIn takes the memory of plain results from s.
func (d decoder) opResultIn(r *OpResult, s *slabs) {
	for name := range d.Object {
		switch string(name) {
		case "response_range":
			r.Get = s.get()
			d.get(r.Get)
			if len(r.Get.KVs) == 0 {
				r.Get.KVs = nil // as a call by itself has it
			}
		case "response_put":
			r.Put = s.put()
			d.put(r.Put)
		case "response_delete_range":
			r.Delete = new(DeleteResult)
			d.delete(r.Delete)
		case "response_txn":
			r.Txn = new(TxnResult)
			d.txn(r.Txn)
		}
	}
}

// slabs is memory for the results of a batch. Some of them share a piece, so
// that a batch costs few allocations; not all of them do, so that a caller who
// keeps one result keeps no more than a few others with it.
type slabs struct {
	n    int // results to a piece; 0 is one
	gets []getAndKV
	puts []PutResult
}

type getAndKV struct {
	GetResult
	kv [1]KV
}

// slabSize is how many results of a batch share a piece of memory.
const slabSize = 8

func (s *slabs) get() *GetResult {
	if s.n == 0 {
		return new(GetResult)
	}
	if len(s.gets) == 0 {
		s.gets = make([]getAndKV, s.n)
	}
	g := &s.gets[0]
	s.gets = s.gets[1:]
	g.KVs = g.kv[:0] // room for the key, where one is asked for
	return &g.GetResult
}

func (s *slabs) put() *PutResult {
	if s.n == 0 {
		return new(PutResult)
	}
	if len(s.puts) == 0 {
		s.puts = make([]PutResult, s.n)
	}
	p := &s.puts[0]
	s.puts = s.puts[1:]
	return p
}

// fits checks that a transaction's result has the shape the transaction asks
// for, so that nobody finds a nil where a result belongs, and gives every
// nested result the header of the whole.
func (r *TxnResult) fits(t *Txn) error {
	ops := t.Then
	if !r.Succeeded {
		ops = t.Else
	}
	if len(r.Results) != len(ops) {
		return errShape("a transaction of " + strconv.Itoa(len(ops)) + " operations has " + strconv.Itoa(len(r.Results)) + " results")
	}
	for i := range ops {
		if err := r.Results[i].fits(&ops[i], r.Header); err != nil {
			return err
		}
	}
	return nil
}

func (r *OpResult) fits(op *Op, h Header) error {
	if r.kinds() != 1 {
		return errShape("an operation has no result, or several")
	}
	switch {
	case op.kind == opGet && r.Get != nil:
		r.Get.Header = h
	case op.kind == opPut && r.Put != nil:
		r.Put.Header = h
	case op.kind == opDelete && r.Delete != nil:
		r.Delete.Header = h
	case op.kind == opTxn && r.Txn != nil:
		r.Txn.Header = h
		return r.Txn.fits(op.txn)
	default:
		return errShape("the result of an operation is of another kind")
	}
	return nil
}

func (r *OpResult) kinds() (n int) {
	for _, there := range [...]bool{r.Get != nil, r.Put != nil, r.Delete != nil, r.Txn != nil} {
		if there {
			n++
		}
	}
	return n
}

// check refuses an answer without the header that every answer of etcd has: it
// comes from something else that says 200 and JSON.
func (h *Header) check() error {
	if h.Revision <= 0 {
		return errShape("the header has no revision")
	}
	return nil
}

// small makes a byte of an enum's number, such that one that is unknown stays so.
func small(n int32) uint8 {
	if n < 0 || n > 0xff {
		return 0xff
	}
	return uint8(n)
}

// errShape is an error of a reply that is valid JSON but not what was asked for.
type errShape string

func (e errShape) Error() string { return "malformed reply: " + string(e) }

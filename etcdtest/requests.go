package etcdtest

// The requests of the KV API, decoded. Both spellings of a field are taken, as
// the gateway takes them: its name in the protocol and the camel case of it.

var (
	sortOrders     = []string{"NONE", "ASCEND", "DESCEND"}
	sortTargets    = []string{"KEY", "VERSION", "CREATE", "MOD", "VALUE"}
	compareResults = []string{"EQUAL", "GREATER", "LESS", "NOT_EQUAL"}
	compareTargets = []string{"VERSION", "CREATE", "MOD", "VALUE", "LEASE"}
)

type rangeRequest struct {
	span
	limit, rev                           int64
	order, target                        int
	serializable, keysOnly, countOnly    bool
	minMod, maxMod, minCreate, maxCreate int64
}

type putRequest struct {
	key                              string
	value                            []byte
	lease                            int64
	prevKV, ignoreValue, ignoreLease bool
}

type deleteRequest struct {
	span
	prevKV bool
}

type compareRequest struct {
	span
	result, target int
	union          int // the target that the value was given for, -1 for none
	number         int64
	value          []byte
}

type txnRequest struct {
	compares         []compareRequest
	success, failure []opRequest
}

// opRequest is one of the four; all nil is an empty operation.
type opRequest struct {
	rng *rangeRequest
	put *putRequest
	del *deleteRequest
	txn *txnRequest
}

func (d *decoder) rangeRequest(v any) *rangeRequest {
	r := &rangeRequest{}
	for k, v := range d.object("range", v) {
		switch k {
		case "key":
			r.key = d.key(k, v)
		case "range_end", "rangeEnd":
			r.end = d.key(k, v)
		case "limit":
			r.limit = d.int64(k, v)
		case "revision":
			r.rev = d.int64(k, v)
		case "sort_order", "sortOrder":
			r.order = d.enum(k, v, sortOrders)
		case "sort_target", "sortTarget":
			r.target = d.enum(k, v, sortTargets)
		case "serializable":
			r.serializable = d.boolean(k, v)
		case "keys_only", "keysOnly":
			r.keysOnly = d.boolean(k, v)
		case "count_only", "countOnly":
			r.countOnly = d.boolean(k, v)
		case "min_mod_revision", "minModRevision":
			r.minMod = d.int64(k, v)
		case "max_mod_revision", "maxModRevision":
			r.maxMod = d.int64(k, v)
		case "min_create_revision", "minCreateRevision":
			r.minCreate = d.int64(k, v)
		case "max_create_revision", "maxCreateRevision":
			r.maxCreate = d.int64(k, v)
		}
	}
	return r
}

func (d *decoder) putRequest(v any) *putRequest {
	p := &putRequest{}
	for k, v := range d.object("put", v) {
		switch k {
		case "key":
			p.key = d.key(k, v)
		case "value":
			p.value = d.bytes(k, v)
		case "lease":
			p.lease = d.int64(k, v)
		case "prev_kv", "prevKv":
			p.prevKV = d.boolean(k, v)
		case "ignore_value", "ignoreValue":
			p.ignoreValue = d.boolean(k, v)
		case "ignore_lease", "ignoreLease":
			p.ignoreLease = d.boolean(k, v)
		}
	}
	return p
}

func (d *decoder) deleteRequest(v any) *deleteRequest {
	r := &deleteRequest{}
	for k, v := range d.object("delete_range", v) {
		switch k {
		case "key":
			r.key = d.key(k, v)
		case "range_end", "rangeEnd":
			r.end = d.key(k, v)
		case "prev_kv", "prevKv":
			r.prevKV = d.boolean(k, v)
		}
	}
	return r
}

func (d *decoder) compareRequest(v any) compareRequest {
	c := compareRequest{union: -1}
	set := func(k string, target int, v any) {
		if v == nil {
			return
		}
		if c.union >= 0 && d.err == nil {
			d.err = &Error{Code: InvalidArgument, Message: "proto: error parsing \"" + k + "\", oneof etcdserverpb.Compare.target_union is already set"}
		}
		c.union = target
		if target == 3 {
			c.value = d.bytes(k, v)
		} else {
			c.number = d.int64(k, v)
		}
	}
	for k, v := range d.object("compare", v) {
		switch k {
		case "result":
			c.result = d.enum(k, v, compareResults)
		case "target":
			c.target = d.enum(k, v, compareTargets)
		case "key":
			c.key = d.key(k, v)
		case "range_end", "rangeEnd":
			c.end = d.key(k, v)
		case "version":
			set(k, 0, v)
		case "create_revision", "createRevision":
			set(k, 1, v)
		case "mod_revision", "modRevision":
			set(k, 2, v)
		case "value":
			set(k, 3, v)
		case "lease":
			set(k, 4, v)
		}
	}
	return c
}

func (d *decoder) txnRequest(v any) *txnRequest {
	t := &txnRequest{}
	for k, v := range d.object("txn", v) {
		switch k {
		case "compare":
			for _, e := range d.list(k, v) {
				t.compares = append(t.compares, d.compareRequest(e))
			}
		case "success":
			t.success = d.opRequests(k, v)
		case "failure":
			t.failure = d.opRequests(k, v)
		}
	}
	return t
}

func (d *decoder) opRequests(field string, v any) []opRequest {
	var ops []opRequest
	for _, e := range d.list(field, v) {
		var op opRequest
		n := 0
		for k, v := range d.object(field, e) {
			if v == nil {
				continue
			}
			switch k {
			case "request_range", "requestRange":
				op.rng = d.rangeRequest(v)
			case "request_put", "requestPut":
				op.put = d.putRequest(v)
			case "request_delete_range", "requestDeleteRange":
				op.del = d.deleteRequest(v)
			case "request_txn", "requestTxn":
				op.txn = d.txnRequest(v)
			default:
				continue
			}
			if n++; n > 1 && d.err == nil {
				d.err = &Error{Code: InvalidArgument, Message: "proto: error parsing \"" + k + "\", oneof etcdserverpb.RequestOp.request is already set"}
			}
		}
		ops = append(ops, op)
	}
	return ops
}

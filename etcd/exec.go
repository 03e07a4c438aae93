package etcd

import (
	"context"
	"strconv"

	"github.com/quorate/quorate/internal/jsonwire"
)

// exec carries out one operation as a call of its own or together with others.
func (c *Client) exec(ctx context.Context, op Op, opts txnOptions) (OpResult, error) {
	k := &call{op: op, alone: opts.alone || op.alone}
	if err := op.check(0); err != nil {
		return OpResult{}, invalid(k.name(), k.on(), err)
	}
	for _, s := range opts.footprint {
		if err := s.check(); err != nil {
			return OpResult{}, invalid(k.name(), "footprint", err)
		}
		k.touches = append(k.touches, touch{set: s})
	}
	if c.cfg.NoGroupCommit || k.alone {
		return c.single(ctx, k)
	}
	switch {
	case op.kind == opGet:
		if g := &op.get; g.serializable || g.revision != 0 || !op.set.IsSingle() && (g.limit == 0 || g.limit > smallRange) {
			return c.single(ctx, k)
		}
		return c.reads.do(ctx, k)
	case op.kind == opTxn && !op.writes():
		return c.single(ctx, k)
	}
	return c.writes.do(ctx, k)
}

// smallRange is up to how many keys a read may ask for to share a request.
const smallRange = 16

// A call is one operation on its way.
type call struct {
	op    Op
	alone bool

	// Filled in when it is to share a request.
	touches []touch
	body    []byte // as an element of a transaction
	depth   int    // how many operations a transaction may have at least to hold it, itself included
	puts    bool

	done   chan struct{} // closed when the outcome is known
	owner  bool          // goes alone, in the place under way that its caller now owns
	resend bool          // the shared request was refused: go alone
	result OpResult
	err    error
}

var opNames = [...]string{opNone: "operation", opGet: "get", opPut: "put", opDelete: "delete", opTxn: "txn"}

func (k *call) name() string { return opNames[k.op.kind] }

// on names what the call is about, for errors; of a transaction, its first key.
func (k *call) on() string {
	if k.op.kind != opTxn {
		return k.op.set.String()
	}
	t := k.op.txn
	switch {
	case len(t.If) > 0 && t.If[0].target != cmpAll:
		return "on " + t.If[0].set.String()
	case len(t.Then) > 0 && t.Then[0].kind != opTxn:
		return "on " + t.Then[0].set.String()
	}
	return ""
}

var paths = [...]string{opGet: "/v3/kv/range", opPut: "/v3/kv/put", opDelete: "/v3/kv/deleterange", opTxn: "/v3/kv/txn"}

// single sends a call in a request of its own.
func (c *Client) single(ctx context.Context, k *call) (OpResult, error) {
	r := &request{op: k.name(), on: k.on(), path: paths[k.op.kind], mode: modeWrite}
	if k.op.kind == opGet || k.op.kind == opTxn && !k.op.writes() {
		r.mode = modeRead
		r.anyMember = k.op.get.serializable
	}
	r.body = appendOp(make([]byte, 0, 256), c.ns, &k.op)
	var res OpResult
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		d := decoder{rd, len(c.ns)}
		res = OpResult{}
		switch k.op.kind {
		case opGet:
			res.Get = new(GetResult)
			d.get(res.Get)
		case opPut:
			res.Put = new(PutResult)
			d.put(res.Put)
		case opDelete:
			res.Delete = new(DeleteResult)
			d.delete(res.Delete)
		case opTxn:
			res.Txn = new(TxnResult)
			d.txn(res.Txn)
			if rd.Err() == nil {
				return res.Txn.fits(k.op.txn)
			}
		}
		return nil
	})
	if r.mode == modeWrite {
		c.writes.note(k.op.puts(), err)
	}
	if err != nil {
		return OpResult{}, err
	}
	return res, nil
}

// writes reports whether op changes anything, in either branch.
func (op *Op) writes() bool {
	return op.any(func(k opKind) bool { return k == opPut || k == opDelete })
}

// puts reports whether op puts anything, in either branch.
func (op *Op) puts() bool { return op.any(func(k opKind) bool { return k == opPut }) }

func (op *Op) any(is func(opKind) bool) bool {
	if op.kind != opTxn {
		return is(op.kind)
	}
	for i := range op.txn.Then {
		if op.txn.Then[i].any(is) {
			return true
		}
	}
	for i := range op.txn.Else {
		if op.txn.Else[i].any(is) {
			return true
		}
	}
	return false
}

// depth is how many operations the server counts below op: the longest list of
// a transaction and, behind it, of those nested in it.
func (op *Op) depth() int {
	if op.kind != opTxn {
		return 0
	}
	t := op.txn
	compares := 0
	for i := range t.If {
		compares += t.If[i].count()
	}
	below := 0
	for i := range t.Then {
		below = max(below, t.Then[i].depth())
	}
	for i := range t.Else {
		below = max(below, t.Else[i].depth())
	}
	return max(compares, len(t.Then), len(t.Else)) + below
}

func (c *Cmp) count() int {
	if c.target != cmpAll {
		return 1
	}
	n := 0
	for i := range c.all {
		n += c.all[i].count()
	}
	return n
}

// describeBatch names a shared request in errors.
func describeBatch(n int) string { return "of " + strconv.Itoa(n) + " calls" }

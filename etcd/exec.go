package etcd

import (
	"context"
	"time"

	"github.com/quorate/quorate/internal/jsonwire"
	"github.com/quorate/quorate/internal/mutant"
)

// exec carries out one operation as a call of its own or together with others.
func (c *Client) exec(ctx context.Context, op Op, opts txnOptions) (OpResult, error) {
	k := &call{op: op}
	if err := op.check(0); err != nil {
		return OpResult{}, invalid(k.name(), k.on(), err)
	}
	if op.kind == opTxn {
		if err := op.txn.checkKept(); err != nil {
			return OpResult{}, invalid(k.name(), k.on(), err)
		}
	}
	for _, s := range opts.footprint {
		if err := s.check(); err != nil {
			return OpResult{}, invalid(k.name(), "footprint", err)
		}
		k.touches = append(k.touches, touch{set: s})
	}
	switch {
	case c.cfg.NoGroupCommit || opts.alone || op.alone:
		return c.single(ctx, k)
	case op.kind == opGet:
		if op.get.costly(op.set) {
			return c.single(ctx, k)
		}
		return c.reads.do(ctx, k)
	case op.kind == opTxn && !op.writes():
		return c.single(ctx, k)
	case op.kind == opDelete && op.prev && !op.set.IsSingle():
		return c.single(ctx, k) // its reply may be of any size
	}
	return c.writes.do(ctx, k)
}

// smallRange is up to how many keys a read may ask for to share a request.
const smallRange = 16

// costly reports whether reading set with these options may hold up others
// that share its request, or fail them: it may read much (the server reads all
// of what it sorts or filters), or the past, which may be compacted. What is
// serializable must not be mixed with what is linearizable.
func (g *getOptions) costly(set KeySet) bool {
	if g.serializable || g.revision != 0 {
		return true
	}
	if set.IsSingle() {
		return false
	}
	return g.limit == 0 || g.limit > smallRange || g.order != Unsorted || g.sortBy != ByKey ||
		g.minMod|g.maxMod|g.minCreate|g.maxCreate != 0
}

// A call is one operation on its way.
type call struct {
	op      Op
	touches []touch // what else its caller's decision rests on; then all it touches
	touched [1]touch

	// Filled in when it is to share a request.
	body  []byte    // as an element of a transaction
	depth int       // how many operations the server counts below it
	puts  bool      // it puts something, in some branch
	until time.Time // when to stop trying; zero if it is to be tried once
	gone  bool      // its caller has given up while it was on its way; the group's mutex guards it

	// done is closed when the call's fate is known; the rest then says what.
	done   chan struct{}
	place  bool // it is to go as itself, in a place that its caller now owns
	alone  bool // the shared request was refused: it is to go as itself
	result OpResult
	err    error
}

// prepare fills in what sharing a request needs to know.
func (k *call) prepare(ns string) {
	if k.touches == nil {
		k.touches = k.touched[:0] // most touch one key
	}
	k.touches = appendTouches(k.touches, &k.op)
	k.body = appendRequestOp(make([]byte, 0, 256), ns, &k.op)
	k.depth = k.op.depth()
	k.puts = k.op.puts()
	k.done = make(chan struct{})
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
	r := &request{op: k.name(), call: k, path: paths[k.op.kind], mode: modeWrite, until: k.until}
	if k.op.kind == opGet || k.op.kind == opTxn && !k.op.writes() {
		r.mode = modeRead
		if mutant.StaleReads {
			k.op.get.serializable = true
		}
		r.anyMember = k.op.get.serializable
	}
	buf := newBody()
	defer buf.free() // the exchange is over
	r.body = appendOp(buf.b[:0], c.ns, &k.op)
	buf.b = r.body
	full := c.writes.full.Load()
	var res OpResult
	f := c.try(ctx, r, func(rd *jsonwire.Reader) (err error) {
		res, err = decodeSingle(rd, len(c.ns), &k.op)
		return err
	})
	if r.mode == modeWrite {
		c.writes.noteSpace(k.op.puts, full, f)
	}
	if f != nil {
		return OpResult{}, f.err
	}
	return res, nil
}

// decodeSingle reads the reply to a request that carries op alone.
func decodeSingle(rd *jsonwire.Reader, ns int, op *Op) (res OpResult, err error) {
	d := decoder{rd, ns}
	var h *Header
	switch op.kind {
	case opGet:
		res.Get = new(GetResult)
		h = &res.Get.Header
		d.get(res.Get)
	case opPut:
		res.Put = new(PutResult)
		h = &res.Put.Header
		d.put(res.Put)
	case opDelete:
		res.Delete = new(DeleteResult)
		h = &res.Delete.Header
		d.delete(res.Delete)
	case opTxn:
		res.Txn = new(TxnResult)
		h = &res.Txn.Header
		d.txn(res.Txn)
	}
	if rd.Err() != nil {
		return res, rd.Err()
	}
	if err := h.check(); err != nil {
		return res, err
	}
	if op.kind == opTxn {
		return res, res.Txn.fits(op.txn)
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

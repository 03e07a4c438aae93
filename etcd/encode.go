package etcd

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/internal/jsonwire"
)

// Requests are written as JSON by hand: the gateway's messages are few and
// flat, the keys and values in them are base64, and this is the hot path.
//
// The gateway drops fields it does not know, so a misspelled one would make,
// say, an unconditional transaction. encode_test.go pins every message.

// A fields writes the fields of a JSON object. Zeros are left out, as the
// gateway does.
type fields struct{ b []byte }

func object(b []byte) fields { return fields{append(b, '{')} }

func (f *fields) end() []byte { return append(f.b, '}') }

func (f *fields) name(name string) { f.b = jsonwire.AppendField(f.b, name) }

func (f *fields) bytes(name string, v []byte) { f.b = jsonwire.AppendBase64Field(f.b, name, v) }

func (f *fields) text(name, v string) { f.b = jsonwire.AppendStringField(f.b, name, v) }

func (f *fields) int(name string, v int64) {
	if v != 0 {
		f.b = jsonwire.AppendInt64Field(f.b, name, v)
	}
}

func (f *fields) flag(name string, v bool) {
	if v {
		f.b = jsonwire.AppendBoolField(f.b, name, v)
	}
}

// key writes the bytes of ns and k as one string.
func (f *fields) key(name, ns, k string) {
	if ns != "" {
		k = ns + k
	}
	f.b = jsonwire.AppendBase64StringField(f.b, name, k)
}

// keySet writes key and range_end.
func (f *fields) keySet(ns string, s KeySet) {
	if s.kind == setKey {
		f.key("key", ns, s.key)
		return
	}
	key, end := s.wire(ns)
	f.key("key", "", key)
	f.key("range_end", "", end)
}

var (
	sortTargets = [...]string{ByKey: "KEY", ByVersion: "VERSION", ByCreateRevision: "CREATE", ByModRevision: "MOD", ByValue: "VALUE"}
	sortOrders  = [...]string{Unsorted: "NONE", Ascending: "ASCEND", Descending: "DESCEND"}
)

// appendOp writes the request message of op: what stands in the body of
// /v3/kv/put, say, or behind "request_put" in a transaction.
func appendOp(b []byte, ns string, op *Op) []byte {
	f := object(b)
	switch op.kind {
	case opGet:
		f.keySet(ns, op.set)
		g := &op.get
		f.int("limit", g.limit)
		f.int("revision", g.revision)
		if g.order != Unsorted {
			f.text("sort_order", sortOrders[g.order])
			f.text("sort_target", sortTargets[g.sortBy])
		}
		f.flag("serializable", g.serializable)
		f.flag("keys_only", g.keysOnly)
		f.flag("count_only", g.countOnly)
		f.int("min_mod_revision", g.minMod)
		f.int("max_mod_revision", g.maxMod)
		f.int("min_create_revision", g.minCreate)
		f.int("max_create_revision", g.maxCreate)
	case opPut:
		f.key("key", ns, op.set.key)
		if len(op.value) > 0 {
			f.bytes("value", op.value)
		}
		f.int("lease", int64(op.lease))
		f.flag("prev_kv", op.prev)
		f.flag("ignore_value", op.ignoreValue)
		f.flag("ignore_lease", op.ignoreLease)
	case opDelete:
		f.keySet(ns, op.set)
		f.flag("prev_kv", op.prev)
	case opTxn:
		f.txn(ns, op.txn)
	}
	return f.end()
}

func (f *fields) txn(ns string, t *Txn) {
	if len(t.If) > 0 {
		f.name("compare")
		f.b = append(f.b, '[')
		for i := range t.If {
			f.compare(ns, &t.If[i])
		}
		f.b = append(f.b, ']')
	}
	f.branch(ns, "success", t.Then)
	f.branch(ns, "failure", t.Else)
}

func (f *fields) compare(ns string, c *Cmp) {
	if c.target != cmpAll {
		f.b = appendCmp(jsonwire.AppendElem(f.b), ns, c)
		return
	}
	for i := range c.all {
		f.compare(ns, &c.all[i])
	}
}

func appendCmp(b []byte, ns string, c *Cmp) []byte {
	f := object(b)
	if c.rel != Equal { // which is the default
		f.text("result", c.rel.wire())
	}
	switch c.target {
	case cmpVersion:
		f.text("target", "VERSION")
		f.int("version", c.num)
	case cmpCreate:
		f.text("target", "CREATE")
		f.int("create_revision", c.num)
	case cmpMod:
		f.text("target", "MOD")
		f.int("mod_revision", c.num)
	case cmpValue:
		f.text("target", "VALUE")
		f.bytes("value", c.value)
	case cmpLease:
		f.text("target", "LEASE")
		f.int("lease", c.num)
	}
	f.keySet(ns, c.set)
	return f.end()
}

var requestNames = [...]string{opGet: "request_range", opPut: "request_put", opDelete: "request_delete_range", opTxn: "request_txn"}

// appendRequestOp writes op as an element of a transaction's branch.
func appendRequestOp(b []byte, ns string, op *Op) []byte {
	f := object(b)
	f.name(requestNames[op.kind])
	f.b = appendOp(f.b, ns, op)
	return f.end()
}

func (f *fields) branch(ns, name string, ops []Op) {
	if len(ops) == 0 {
		return
	}
	f.name(name)
	f.b = append(f.b, '[')
	for i := range ops {
		f.b = appendRequestOp(jsonwire.AppendElem(f.b), ns, &ops[i])
	}
	f.b = append(f.b, ']')
}

// maxNesting bounds how deep transactions may stand in each other.
const maxNesting = 16

// check finds what is wrong with an operation before anything is sent.
func (op *Op) check(depth int) error {
	switch op.kind {
	case opNone:
		return errors.New("empty operation: use Get, Put, Delete or Nest")
	case opTxn:
		return op.txn.check(depth + 1)
	case opPut:
		if op.ignoreValue && len(op.value) > 0 {
			return errors.New("IgnoreValue goes with an empty value")
		}
		if op.ignoreLease && op.lease != 0 {
			return errors.New("IgnoreLease does not go with WithLease")
		}
	case opGet:
		g := &op.get
		if g.limit < 0 || g.revision < 0 || g.minMod < 0 || g.maxMod < 0 || g.minCreate < 0 || g.maxCreate < 0 {
			return errors.New("negative limit or revision")
		}
		if int(g.sortBy) >= len(sortTargets) || int(g.order) >= len(sortOrders) {
			return errors.New("unknown sort target or order")
		}
	}
	return op.set.check()
}

func (t *Txn) check(depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("transactions nested more than %d deep", maxNesting)
	}
	for i := range t.If {
		if err := t.If[i].check(depth); err != nil {
			return fmt.Errorf("in If[%d]: %w", i, err)
		}
	}
	for i := range t.Then {
		if err := t.Then[i].check(depth); err != nil {
			return fmt.Errorf("in Then[%d]: %w", i, err)
		}
	}
	for i := range t.Else {
		if err := t.Else[i].check(depth); err != nil {
			return fmt.Errorf("in Else[%d]: %w", i, err)
		}
	}
	return nil
}

func (c *Cmp) check(depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("conditions nested more than %d deep", maxNesting)
	}
	switch {
	case c.target == cmpNone:
		return errors.New("empty condition: use one of IfVersion, IfValue, Exists and the like")
	case c.target == cmpAll:
		for i := range c.all {
			if err := c.all[i].check(depth + 1); err != nil {
				return err
			}
		}
		return nil
	case c.rel > Less:
		return errors.New("unknown relation")
	}
	return c.set.check()
}

package etcdtest

import "slices"

// The checks that a request must pass before it is proposed at all.

func (r *rangeRequest) check(old bool) *Error {
	if r.key == "" {
		return errEmptyKey
	}
	// 3.5 takes any order; a target that is not there would end its process.
	badOrder := r.order < 0 || r.order >= len(sortOrders)
	if badOrder && !old || r.target < 0 || r.target >= len(sortTargets) {
		return errInvalidSort
	}
	return nil
}

func (p *putRequest) check() *Error {
	switch {
	case p.key == "":
		return errEmptyKey
	case p.ignoreValue && len(p.value) > 0:
		return errValueProvided
	case p.ignoreLease && p.lease != 0:
		return errLeaseProvided
	}
	return nil
}

func (r *deleteRequest) check() *Error {
	if r.key == "" {
		return errEmptyKey
	}
	return nil
}

// check counts operations and looks at each. What a level uses is taken off
// what its nested txns may use: N nested txns of k operations need N+k <= max.
func (t *txnRequest) check(maxOps int, old bool) *Error {
	n := max(len(t.compares), len(t.success), len(t.failure))
	if n > maxOps {
		return errTooManyOps
	}
	for i := range t.compares {
		if t.compares[i].key == "" {
			return errEmptyKey
		}
	}
	for _, ops := range [][]opRequest{t.success, t.failure} {
		for i := range ops {
			if err := ops[i].check(maxOps-n, old); err != nil {
				return err
			}
		}
	}
	return nil
}

func (op *opRequest) check(maxOps int, old bool) *Error {
	switch {
	case op.rng != nil:
		return op.rng.check(old)
	case op.put != nil:
		return op.put.check()
	case op.del != nil:
		return op.del.check()
	case op.txn != nil:
		return op.txn.check(maxOps, old)
	}
	return errKeyNotFound
}

// footprint is what one list of operations may write, its nested txns included.
type footprint struct {
	puts map[string]bool
	dels []span
}

func (w *footprint) deletes(key string) bool {
	return slices.ContainsFunc(w.dels, func(s span) bool { return s.contains(key) })
}

// checkOverlaps refuses two puts of one key, and a put of a key that the same
// level or one below deletes. Both branches of one nested txn may put the same
// key. Deletes of a nested txn count for the levels above it only after its
// siblings' puts were looked at, in their order, as etcd does it: so a nested
// put followed by a nested delete passes, the other way round does not. And a
// delete without an end overlaps nothing, because the check reads the zero byte
// of its end as a key.
func checkOverlaps(ops []opRequest) (footprint, *Error) {
	w := footprint{puts: make(map[string]bool)}
	for _, op := range ops {
		if op.del != nil && !op.del.openEnded() {
			w.dels = append(w.dels, op.del.span)
		}
	}
	for _, op := range ops {
		if op.txn == nil {
			continue
		}
		then, err := checkOverlaps(op.txn.success)
		if err != nil {
			return w, err
		}
		other, err := checkOverlaps(op.txn.failure)
		if err != nil {
			return w, err
		}
		for k := range then.puts {
			if w.puts[k] || w.deletes(k) {
				return w, errDuplicateKey
			}
			w.puts[k] = true
		}
		for k := range other.puts {
			if w.puts[k] && !then.puts[k] || w.deletes(k) {
				return w, errDuplicateKey
			}
			w.puts[k] = true
		}
		w.dels = append(append(w.dels, then.dels...), other.dels...)
	}
	for _, op := range ops {
		if op.put == nil {
			continue
		}
		if w.puts[op.put.key] || w.deletes(op.put.key) {
			return w, errDuplicateKey
		}
		w.puts[op.put.key] = true
	}
	return w, nil
}

// readOnly says whether the txn consists of plain ranges alone; such a txn is
// served without a proposal. A nested txn makes it a write, whatever is in it.
func (t *txnRequest) readOnly() bool {
	notRange := func(op opRequest) bool { return op.rng == nil }
	return !slices.ContainsFunc(t.success, notRange) && !slices.ContainsFunc(t.failure, notRange)
}

// cost is what a put may add to the store, as the quota counts it.
func (p *putRequest) cost() int64 { return int64(256 + len(p.key) + len(p.value)) }

// cost is that of the dearer branch: whether it is taken does not count.
func (t *txnRequest) cost() int64 { return max(opsCost(t.success), opsCost(t.failure)) }

func opsCost(ops []opRequest) int64 {
	var n int64
	for _, op := range ops {
		switch {
		case op.put != nil:
			n += op.put.cost()
		case op.txn != nil:
			n += op.txn.cost()
		}
	}
	return n
}

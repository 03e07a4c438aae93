package etcdtest

import "slices"

// path says for a txn and, in order of execution, for each nested txn of the
// branches taken, whether its compares held.
type path []bool

// decide evaluates every compare of the txn against the state before it.
func (st *store) decide(t *txnRequest, p path) path {
	ok := st.holds(t.compares)
	p = append(p, ok)
	for _, op := range t.branch(ok) {
		if op.txn != nil {
			p = st.decide(op.txn, p)
		}
	}
	return p
}

func (t *txnRequest) branch(ok bool) []opRequest {
	if ok {
		return t.success
	}
	return t.failure
}

// checkTxn looks at what the branches taken need from the state, before
// anything of them is applied. cleared collects deletes without an end.
func (s *Server) checkTxn(t *txnRequest, p *path, cleared *[]span) *Error {
	for _, op := range t.take(p) {
		var err *Error
		switch {
		case op.rng != nil:
			err = s.checkTxnRange(op.rng)
		case op.put != nil:
			if err = s.checkPut(op.put); err == nil && op.put.keepsOf(*cleared) {
				err = errWouldCrash
			}
		case op.del != nil && op.del.openEnded():
			*cleared = append(*cleared, op.del.span)
		case op.txn != nil:
			err = s.checkTxn(op.txn, p, cleared)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errWouldCrash stands in for the end of a cluster: an etcd (3.7.3 was tried)
// that applies such a txn panics, and again after every restart. Nobody should
// send it, so nobody should find it to work here.
var errWouldCrash = &Error{Code: Internal, Message: "etcdtest: this txn crashes etcd: " +
	"ignore_value or ignore_lease on a key that the txn has deleted by a range without an end"}

// keepsOf says whether the put keeps part of a key that was cleared.
func (p *putRequest) keepsOf(cleared []span) bool {
	return (p.ignoreValue || p.ignoreLease) &&
		slices.ContainsFunc(cleared, func(sp span) bool { return sp.contains(p.key) })
}

// checkTxnRange differs from a plain range: after a compaction, a negative
// revision is refused.
func (s *Server) checkTxnRange(r *rangeRequest) *Error {
	switch {
	case r.rev > s.store.rev:
		return errFutureRev
	case r.rev != 0 && r.rev < s.store.compacted:
		return errCompacted
	}
	return nil
}

// take returns the branch that the path's next step chose.
func (t *txnRequest) take(p *path) []opRequest {
	ok := (*p)[0]
	*p = (*p)[1:]
	return t.branch(ok)
}

// applyTxn runs the branches taken, in order; a later operation sees what an
// earlier one changed.
func (s *Server) applyTxn(w *write, t *txnRequest, p *path) *txnReply {
	rep := &txnReply{Header: &headerReply{}, Succeeded: (*p)[0]}
	for _, op := range t.take(p) {
		r := &opReply{}
		switch {
		case op.rng != nil:
			rev := op.rng.rev
			if rev <= 0 {
				rev = w.headRev()
			}
			r.Range = s.rangeKVs(op.rng, rev)
			r.Range.Header = &headerReply{Revision: w.headRev()}
		case op.put != nil:
			r.Put = s.applyPut(w, op.put)
		case op.del != nil:
			r.Del = s.applyDelete(w, op.del)
		case op.txn != nil:
			r.Txn = s.applyTxn(w, op.txn, p)
		}
		rep.Responses = append(rep.Responses, r)
	}
	return rep
}

package etcdtest

// What a call may do to keys and leases while authentication is on.

func (s *Server) mayRead(l *login, sp span) *Error  { return s.auth.may(l, sp, permRead) }
func (s *Server) mayWrite(l *login, sp span) *Error { return s.auth.may(l, sp, permWrite) }

// mayPut includes the lease: attaching a key to it asks for permission to
// write every key it holds, because it can't be revoked without.
func (s *Server) mayPut(l *login, p *putRequest) *Error {
	if err := s.mayWrite(l, span{key: p.key}); err != nil {
		return err
	}
	if err := s.mayWriteLease(l, p.lease); err != nil {
		return err
	}
	if p.prevKV {
		return s.mayRead(l, span{key: p.key})
	}
	return nil
}

func (s *Server) mayDelete(l *login, r *deleteRequest) *Error {
	if err := s.mayWrite(l, r.span); err != nil || !r.prevKV {
		return err
	}
	return s.mayRead(l, r.span)
}

// mayTxn looks at both branches, taken or not.
func (s *Server) mayTxn(l *login, t *txnRequest) *Error {
	for i := range t.compares {
		if err := s.mayRead(l, t.compares[i].span); err != nil {
			return err
		}
	}
	for _, ops := range [][]opRequest{t.success, t.failure} {
		for _, op := range ops {
			var err *Error
			switch {
			case op.rng != nil:
				err = s.mayRead(l, op.rng.span)
			case op.put != nil:
				err = s.mayPut(l, op.put)
			case op.del != nil:
				err = s.mayDelete(l, op.del)
			case op.txn != nil:
				err = s.mayTxn(l, op.txn)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// mayWriteLease asks for permission to write every key of a lease.
func (s *Server) mayWriteLease(l *login, id int64) *Error {
	return s.mayTouchLease(l, id, permWrite)
}

func (s *Server) mayTouchLease(l *login, id int64, kind int) *Error {
	le := s.leases[id]
	if le == nil || s.auth.admin(l) == nil {
		return nil
	}
	for _, k := range le.sortedKeys() {
		if err := s.auth.may(l, span{key: k}, kind); err != nil {
			return err
		}
	}
	return nil
}

// refusedWatch is the reason that a refused watch is cancelled for, or "". For
// 3.4 it is the same whatever is wrong with the token.
func (s *Server) refusedWatch(l *login, sp span) string {
	err := s.mayRead(l, sp)
	if err == nil {
		return ""
	}
	if s.minor < 5 {
		err = errPermDenied
	}
	return "rpc error: code = " + codeNames[err.Code] + " desc = " + err.Message
}

var codeNames = map[Code]string{
	InvalidArgument:  "InvalidArgument",
	PermissionDenied: "PermissionDenied",
	Unauthenticated:  "Unauthenticated",
}

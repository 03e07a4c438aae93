package etcdtest

func (s *Server) kvRoutes() map[string]*route {
	return map[string]*route{
		"/v3/kv/range":       unary(reads, decodeRange, s.serveRange),
		"/v3/kv/put":         unary(writes, decodePut, s.servePut),
		"/v3/kv/deleterange": unary(writes, decodeDelete, s.serveDelete),
		"/v3/kv/txn":         unary(writes, s.decodeTxn, s.serveTxn),
		"/v3/kv/compaction":  unary(writes, decodeCompaction, s.serveCompaction),
	}
}

func decodeRange(d *decoder, o map[string]any) (*rangeRequest, *Error) {
	r := d.rangeRequest(o)
	return r, r.check(d.old)
}

func decodePut(d *decoder, o map[string]any) (*putRequest, *Error) {
	p := d.putRequest(o)
	return p, p.check()
}

func decodeDelete(d *decoder, o map[string]any) (*deleteRequest, *Error) {
	r := d.deleteRequest(o)
	return r, r.check()
}

func (s *Server) decodeTxn(d *decoder, o map[string]any) (*txnRequest, *Error) {
	t := d.txnRequest(o)
	if err := t.check(s.opts.maxTxnOps, d.old); err != nil {
		return t, err
	}
	for _, ops := range [][]opRequest{t.success, t.failure} {
		if _, err := checkOverlaps(ops); err != nil {
			return t, err
		}
	}
	return t, nil
}

type compactionRequest struct{ rev int64 }

func decodeCompaction(d *decoder, o map[string]any) (compactionRequest, *Error) {
	var r compactionRequest
	for k, v := range o {
		switch k {
		case "revision":
			r.rev = d.int64(k, v)
		case "physical":
			d.boolean(k, v)
		}
	}
	return r, nil
}

// header is the header of a reply to c: the newest revision its member knows.
func (c *call) header() *headerReply {
	h := c.s.headerAt(c.member, c.s.viewRev(c.member))
	return &h
}

func (s *Server) serveRange(c *call, r *rangeRequest) (any, *Error) {
	if err := s.mayRead(c.user, r.span); err != nil {
		return nil, err
	}
	rev := r.rev
	if view := s.viewRev(c.member); rev <= 0 {
		rev = view
	} else if rev > view {
		return nil, errFutureRev
	} else if rev < s.store.compacted {
		return nil, errCompacted
	}
	rep := s.rangeKVs(r, rev)
	rep.Header = c.header()
	return rep, nil
}

func (s *Server) servePut(c *call, p *putRequest) (any, *Error) {
	if err := s.mayPut(c.user, p); err != nil {
		return nil, err
	}
	if err := s.space(p.cost()); err != nil {
		return nil, err
	}
	if err := s.checkPut(p); err != nil {
		return nil, err
	}
	w := s.store.begin()
	rep := s.applyPut(w, p)
	s.commit(w)
	rep.Header = c.header()
	return rep, nil
}

func (s *Server) serveDelete(c *call, r *deleteRequest) (any, *Error) {
	if err := s.mayDelete(c.user, r); err != nil {
		return nil, err
	}
	w := s.store.begin()
	rep := s.applyDelete(w, r)
	s.commit(w)
	rep.Header = c.header()
	return rep, nil
}

func (s *Server) serveTxn(c *call, t *txnRequest) (any, *Error) {
	if err := s.mayTxn(c.user, t); err != nil {
		return nil, err
	}
	if err := s.space(t.cost()); err != nil {
		return nil, err
	}
	decided := s.store.decide(t, nil)
	p := decided
	if err := s.checkTxn(t, &p, new([]span)); err != nil {
		return nil, err
	}
	w := s.store.begin()
	p = decided
	rep := s.applyTxn(w, t, &p)
	s.commit(w)
	rep.Header = c.header()
	return rep, nil
}

func (s *Server) serveCompaction(c *call, r compactionRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	if err := s.store.compact(r.rev); err != nil {
		return nil, err
	}
	return headerOnly{c.header()}, nil
}

package etcdtest

import "slices"

type leaseRequest struct {
	id, ttl int64
	keys    bool
}

type grantReply struct {
	Header *headerReply `json:"header,omitempty"`
	ID     int64        `json:"ID,string,omitempty"`
	TTL    int64        `json:"TTL,string,omitempty"`
}

type ttlReply struct {
	Header     *headerReply `json:"header,omitempty"`
	ID         int64        `json:"ID,string,omitempty"`
	TTL        int64        `json:"TTL,string,omitempty"`
	GrantedTTL int64        `json:"grantedTTL,string,omitempty"`
	Keys       [][]byte     `json:"keys,omitempty"`
}

type leaseStatus struct {
	ID int64 `json:"ID,string,omitempty"`
}

type leasesReply struct {
	Header *headerReply  `json:"header,omitempty"`
	Leases []leaseStatus `json:"leases,omitempty"`
}

func (s *Server) leaseRoutes() map[string]*route {
	grant := unary(writes, decodeLease, s.serveGrant)
	revoke := unary(writes, decodeLease, s.serveRevoke)
	ttl := unary(leases, decodeLease, s.serveTimeToLive)
	list := unary(local, nothing, s.serveLeases)
	return map[string]*route{
		"/v3/lease/grant":         grant,
		"/v3/lease/revoke":        revoke,
		"/v3/kv/lease/revoke":     revoke,
		"/v3/lease/timetolive":    ttl,
		"/v3/kv/lease/timetolive": ttl,
		"/v3/lease/leases":        list,
		"/v3/kv/lease/leases":     list,
	}
}

func decodeLease(d *decoder, o map[string]any) (leaseRequest, *Error) {
	var r leaseRequest
	for k, v := range o {
		switch k {
		case "ID":
			r.id = d.int64(k, v)
		case "TTL":
			r.ttl = d.int64(k, v)
		case "keys":
			r.keys = d.boolean(k, v)
		}
	}
	return r, nil
}

func (s *Server) serveGrant(c *call, r leaseRequest) (any, *Error) {
	if err := s.auth.user(c.user); err != nil {
		return nil, err
	}
	if err := s.space(64); err != nil {
		return nil, err
	}
	l, err := s.grant(r.id, r.ttl)
	if err != nil {
		return nil, err
	}
	return grantReply{c.header(), l.id, l.ttl}, nil
}

func (s *Server) serveRevoke(c *call, r leaseRequest) (any, *Error) {
	if err := s.auth.user(c.user); err != nil {
		return nil, err
	}
	if err := s.mayWriteLease(c.user, r.id); err != nil {
		return nil, err
	}
	l := s.leases[r.id]
	if l == nil {
		return nil, errLeaseNotFound
	}
	s.revoke(l)
	return headerOnly{c.header()}, nil
}

func (s *Server) serveTimeToLive(c *call, r leaseRequest) (any, *Error) {
	if err := s.auth.user(c.user); err != nil {
		return nil, err
	}
	if r.keys {
		if err := s.mayTouchLease(c.user, r.id, permRead); err != nil {
			return nil, err
		}
	}
	l := s.leases[r.id]
	if l == nil {
		return ttlReply{Header: c.header(), ID: r.id, TTL: -1}, nil
	}
	rep := ttlReply{Header: c.header(), ID: l.id, TTL: l.ttlLeft(), GrantedTTL: l.ttl}
	if r.keys {
		for _, k := range l.sortedKeys() {
			rep.Keys = append(rep.Keys, []byte(k))
		}
	}
	return rep, nil
}

func (s *Server) serveLeases(c *call, _ struct{}) (any, *Error) {
	if err := s.auth.user(c.user); err != nil {
		return nil, err
	}
	rep := leasesReply{Header: c.header()}
	for id := range s.leases {
		if err := s.mayTouchLease(c.user, id, permRead); err != nil {
			return nil, err
		}
		rep.Leases = append(rep.Leases, leaseStatus{id})
	}
	slices.SortFunc(rep.Leases, func(a, b leaseStatus) int {
		return s.leases[a.ID].expires.Compare(s.leases[b.ID].expires)
	})
	return rep, nil
}

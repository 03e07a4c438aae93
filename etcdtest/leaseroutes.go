package etcdtest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
)

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
	ttl := unary(reads, decodeLease, s.serveTimeToLive)
	list := unary(reads, nothing, s.serveLeases)
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
	l, err := s.grant(r.id, r.ttl)
	if err != nil {
		return nil, err
	}
	return grantReply{c.header(), l.id, l.ttl}, nil
}

func (s *Server) serveRevoke(c *call, r leaseRequest) (any, *Error) {
	l := s.leases[r.id]
	if l == nil {
		return nil, errLeaseNotFound
	}
	s.revoke(l)
	return headerOnly{c.header()}, nil
}

func (s *Server) serveTimeToLive(c *call, r leaseRequest) (any, *Error) {
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
	rep := leasesReply{Header: c.header()}
	for id := range s.leases {
		rep.Leases = append(rep.Leases, leaseStatus{id})
	}
	slices.SortFunc(rep.Leases, func(a, b leaseStatus) int {
		return s.leases[a.ID].expires.Compare(s.leases[b.ID].expires)
	})
	return rep, nil
}

// serveKeepAlive answers every renewal in the body with a message of its own.
// A lease that is not there is answered without a TTL.
func (s *Server) serveKeepAlive(w http.ResponseWriter, c *call) {
	body, rerr := io.ReadAll(c.r.Body)
	if rerr != nil {
		s.writeError(w, &Error{Code: InvalidArgument, Message: rerr.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out := &flusher{w: w}
	for p := newParser(bytes.NewReader(body)); ; {
		o, perr := p.next()
		if errors.Is(perr, io.EOF) {
			break
		}
		d := &decoder{old: s.minor <= 5}
		var err *Error
		var r leaseRequest
		if perr != nil {
			err = &Error{Code: InvalidArgument, Message: perr.Error()}
		} else if r, _ = decodeLease(d, o); d.err != nil {
			err = d.err
		}
		if err != nil {
			out.write(err.status(), s.errorFrame(err))
			return
		}
		out.write(http.StatusOK, frame(s.keepAlive(c, r.id)))
	}
}

func (s *Server) keepAlive(c *call, id int64) grantReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	rep := grantReply{Header: c.header(), ID: id}
	if l := s.leases[id]; l != nil {
		s.renew(l)
		rep.TTL = l.ttl
	}
	return rep
}

// flusher writes the frames of a stream, each at once.
type flusher struct {
	w     http.ResponseWriter
	wrote bool
}

func (f *flusher) write(status int, b []byte) error {
	if !f.wrote {
		f.wrote = true
		f.w.WriteHeader(status)
	}
	if _, err := f.w.Write(b); err != nil {
		return err
	}
	return http.NewResponseController(f.w).Flush()
}

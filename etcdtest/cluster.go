package etcdtest

import (
	"net/url"
	"slices"
)

var (
	errMemberNotFound   = &Error{Code: NotFound, Message: "etcdserver: member not found"}
	errPeerURLExists    = &Error{Code: FailedPrecondition, Message: "etcdserver: Peer URLs already exists"}
	errBadURLs          = &Error{Code: InvalidArgument, Message: "etcdserver: given member URLs are invalid"}
	errNotLearner       = &Error{Code: FailedPrecondition, Message: "etcdserver: can only promote a learner member"}
	errMemberExists     = &Error{Code: FailedPrecondition, Message: "etcdserver: member ID already exist"}
	errLearnerNotReady  = &Error{Code: FailedPrecondition, Message: "etcdserver: can only promote a learner member which is in sync with leader"}
	errTooManyLearners  = &Error{Code: FailedPrecondition, Message: "etcdserver: too many learner members in cluster"}
	errNotEnoughStarted = &Error{Code: FailedPrecondition, Message: "etcdserver: re-configuration failed due to not enough started members"}
)

type memberRequest struct {
	id           uint64
	peerURLs     []string
	learner      bool
	linearizable bool
}

type memberReply struct {
	ID         uint64   `json:"ID,string,omitempty"`
	Name       string   `json:"name,omitempty"`
	PeerURLs   []string `json:"peerURLs,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
	IsLearner  bool     `json:"isLearner,omitempty"`
}

type membersReply struct {
	Header  *headerReply   `json:"header,omitempty"`
	Member  *memberReply   `json:"member,omitempty"`
	Members []*memberReply `json:"members,omitempty"`
}

func (s *Server) clusterRoutes() map[string]*route {
	return map[string]*route{
		"/v3/cluster/member/list":    unary(reads, decodeMember, s.serveMemberList),
		"/v3/cluster/member/add":     unary(writes, decodeMember, s.serveMemberAdd),
		"/v3/cluster/member/remove":  unary(writes, decodeMember, s.serveMemberRemove),
		"/v3/cluster/member/update":  unary(writes, decodeMember, s.serveMemberUpdate),
		"/v3/cluster/member/promote": unary(writes, decodeMember, s.serveMemberPromote),
	}
}

func decodeMember(d *decoder, o map[string]any) (memberRequest, *Error) {
	var r memberRequest
	for k, v := range o {
		switch k {
		case "ID":
			r.id = d.uint64(k, v)
		case "peerURLs":
			r.peerURLs = d.texts(k, v)
		case "isLearner":
			r.learner = d.boolean(k, v)
		case "linearizable":
			r.linearizable = d.boolean(k, v)
		}
	}
	return r, nil
}

// memberHeader has no revision: membership is not part of the key space.
func (c *call) memberHeader() *headerReply {
	h := c.s.headerAt(c.member, 0)
	return &h
}

func (s *Server) memberReply(m *member) *memberReply {
	r := &memberReply{ID: m.id, Name: m.name, PeerURLs: m.peerURLs, IsLearner: m.learner}
	if m.name != "" {
		r.ClientURLs = []string{s.scheme() + m.host}
		for _, l := range m.tcp {
			r.ClientURLs = append(r.ClientURLs, s.scheme()+l.Addr().String())
		}
	}
	return r
}

func (s *Server) membersReply(c *call) membersReply {
	rep := membersReply{Header: c.memberHeader()}
	for _, m := range s.members {
		if !m.removed {
			rep.Members = append(rep.Members, s.memberReply(m))
		}
	}
	return rep
}

func (s *Server) findMember(id uint64) *member {
	for _, m := range s.members {
		if m.id == id && !m.removed {
			return m
		}
	}
	return nil
}

func (s *Server) serveMemberList(c *call, _ memberRequest) (any, *Error) {
	if err := s.auth.user(c.user); err != nil {
		return nil, err
	}
	return s.membersReply(c), nil
}

// checkPeerURLs refuses what is no URL or belongs to another member.
func (s *Server) checkPeerURLs(urls []string, except *member) *Error {
	if len(urls) == 0 {
		return errBadURLs
	}
	for _, u := range urls {
		p, err := url.Parse(u)
		if err != nil || p.Host == "" || p.Path != "" || p.Scheme != "http" && p.Scheme != "https" {
			return errBadURLs
		}
		for _, m := range s.members {
			if m != except && !m.removed && slices.Contains(m.peerURLs, u) {
				return errPeerURLExists
			}
		}
	}
	return nil
}

// serveMemberAdd adds a member that never starts. A learner changes nothing; a
// voter counts for the quorum, so etcd refuses it where that would be lost.
func (s *Server) serveMemberAdd(c *call, r memberRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	for _, m := range s.members {
		// A member's ID is made from its URLs, so that equal URLs collide.
		if !m.removed && slices.Equal(m.peerURLs, r.peerURLs) {
			return nil, errMemberExists
		}
	}
	if err := s.checkPeerURLs(r.peerURLs, nil); err != nil {
		return nil, err
	}
	started, voters := 0, 0
	for _, m := range s.members {
		switch {
		case m.removed:
		case m.learner && r.learner:
			return nil, errTooManyLearners
		case !m.learner:
			voters++
			if m.live() {
				started++
			}
		}
	}
	if !r.learner && voters > 1 && started < (voters+1)/2+1 {
		return nil, errNotEnoughStarted
	}
	m := &member{
		index: len(s.members), id: newID(), peerURLs: r.peerURLs, learner: r.learner, down: true,
		listener: newListener(), tokens: make(map[string]*token),
	}
	s.members = append(s.members, m)
	s.settle()
	rep := s.membersReply(c)
	rep.Member = s.memberReply(m)
	return rep, nil
}

func (s *Server) serveMemberRemove(c *call, r memberRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	m := s.findMember(r.id)
	if m == nil {
		return nil, errMemberNotFound
	}
	m.removed = true
	rep := s.membersReply(c)
	if m.index != c.member {
		s.stop(m)
	}
	s.settle()
	return rep, nil
}

func (s *Server) serveMemberUpdate(c *call, r memberRequest) (any, *Error) {
	m := s.findMember(r.id)
	if err := s.checkPeerURLs(r.peerURLs, m); err != nil {
		return nil, err
	}
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errMemberNotFound
	}
	m.peerURLs = r.peerURLs
	return s.membersReply(c), nil
}

func (s *Server) serveMemberPromote(c *call, r memberRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	m := s.findMember(r.id)
	switch {
	case m == nil:
		return nil, errMemberNotFound
	case !m.learner:
		return nil, errNotLearner
	case m.down:
		return nil, errLearnerNotReady // it never started, so it has caught up with nothing
	}
	m.learner = false
	s.settle()
	return s.membersReply(c), nil
}

package etcdtest

import (
	"fmt"
	"hash/crc32"
	"strings"
)

var (
	errNotLeader     = &Error{Code: FailedPrecondition, Message: "etcdserver: not leader"}
	errBadTransferee = &Error{Code: FailedPrecondition, Message: "etcdserver: bad leader transferee"}
)

type statusReply struct {
	Header           *headerReply   `json:"header,omitempty"`
	Version          string         `json:"version,omitempty"`
	DBSize           int64          `json:"dbSize,string,omitempty"`
	Leader           uint64         `json:"leader,string,omitempty"`
	RaftIndex        uint64         `json:"raftIndex,string,omitempty"`
	RaftTerm         uint64         `json:"raftTerm,string,omitempty"`
	RaftAppliedIndex uint64         `json:"raftAppliedIndex,string,omitempty"`
	Errors           []string       `json:"errors,omitempty"`
	DBSizeInUse      int64          `json:"dbSizeInUse,string,omitempty"`
	StorageVersion   string         `json:"storageVersion,omitempty"`
	DBSizeQuota      int64          `json:"dbSizeQuota,string,omitempty"`
	DowngradeInfo    *downgradeInfo `json:"downgradeInfo,omitempty"`
}

type downgradeInfo struct{}

type hashReply struct {
	Header          *headerReply `json:"header,omitempty"`
	Hash            uint32       `json:"hash,omitempty"`
	CompactRevision int64        `json:"compact_revision,string,omitempty"`
	HashRevision    int64        `json:"hash_revision,string,omitempty"`
}

func (s *Server) maintenanceRoutes() map[string]*route {
	return map[string]*route{
		"/v3/maintenance/status":              unary(local, nothing, s.serveStatus),
		"/v3/maintenance/alarm":               unary(writes, decodeAlarm, s.serveAlarm),
		"/v3/maintenance/defragment":          unary(local, nothing, s.serveDefragment),
		"/v3/maintenance/hash":                unary(local, nothing, s.serveHash),
		"/v3/maintenance/hashkv":              unary(local, decodeCompaction, s.serveHashKV),
		"/v3/maintenance/transfer-leadership": unary(local, decodeTransfer, s.serveTransfer),
	}
}

func (s *Server) serveStatus(c *call, _ struct{}) (any, *Error) {
	if err := s.auth.user(c.user); err != nil {
		return nil, err
	}
	const page = 4096
	size := (s.store.bytes/page + 5) * page
	rep := statusReply{
		Header: c.header(), Version: s.opts.version, DBSize: size, DBSizeInUse: size - page,
		RaftIndex: s.applied, RaftAppliedIndex: s.applied, RaftTerm: s.term,
	}
	if s.minor >= 6 {
		rep.StorageVersion = fmt.Sprintf("3.%d.0", s.minor)
		rep.DBSizeQuota = s.opts.quota
		rep.DowngradeInfo = &downgradeInfo{}
	}
	if s.hasLeader(c.member) {
		rep.Leader = s.members[s.leader].id
	} else {
		rep.Errors = append(rep.Errors, errNoLeader.Message)
	}
	for _, a := range s.activeAlarms(0) {
		text := "alarm:" + alarmName(a.kind)
		if a.member != 0 {
			text = fmt.Sprintf("memberID:%d %s", a.member, text)
		}
		rep.Errors = append(rep.Errors, text)
	}
	return rep, nil
}

// maintainer requires the role root. 3.5 refuses with an error that its gateway
// does not know.
func (s *Server) maintainer(c *call) *Error {
	err := s.auth.admin(c.user)
	if err != nil && s.minor <= 5 {
		return &Error{Code: Unknown, Message: strings.Replace(err.Message, "etcdserver: ", "auth: ", 1)}
	}
	return err
}

func (s *Server) serveDefragment(c *call, _ struct{}) (any, *Error) {
	return struct{}{}, s.maintainer(c)
}

func (s *Server) serveHash(c *call, _ struct{}) (any, *Error) {
	if err := s.maintainer(c); err != nil {
		return nil, err
	}
	return hashReply{Header: c.header(), Hash: s.hashAt(s.store.rev)}, nil
}

func (s *Server) serveHashKV(c *call, r compactionRequest) (any, *Error) {
	if err := s.maintainer(c); err != nil {
		return nil, err
	}
	rev := r.rev
	switch {
	case rev > s.store.rev:
		return nil, errFutureRev
	case rev > 0 && rev < s.store.compacted:
		return nil, errCompacted
	case rev <= 0:
		rev = s.store.rev
	}
	rep := hashReply{Header: c.header(), Hash: s.hashAt(rev), CompactRevision: s.store.compacted}
	if s.minor >= 6 {
		rep.HashRevision = rev
	}
	return rep, nil
}

// hashAt is a hash of all keys as they were at rev, the same on every member.
func (s *Server) hashAt(rev int64) uint32 {
	h := crc32.NewIEEE()
	s.store.visible(span{"\x00", "\x00"}, rev, func(kv *KeyValue) bool {
		fmt.Fprintf(h, "%q %q %d %d %d\n", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version)
		return true
	})
	return h.Sum32()
}

func decodeTransfer(d *decoder, o map[string]any) (uint64, *Error) {
	var id uint64
	for k, v := range o {
		if k == "targetID" {
			id = d.uint64(k, v)
		}
	}
	return id, nil
}

func (s *Server) serveTransfer(c *call, id uint64) (any, *Error) {
	if err := s.maintainer(c); err != nil {
		return nil, err
	}
	if !s.hasLeader(c.member) || s.leader != c.member {
		return nil, errNotLeader
	}
	m := s.findMember(id)
	if m == nil || m.learner {
		return nil, errBadTransferee
	}
	if m.index != s.leader && m.live() {
		s.lead(m.index)
		s.settle()
	}
	return struct{}{}, nil
}

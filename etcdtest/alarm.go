package etcdtest

import "slices"

var (
	alarmTypes   = []string{"NONE", "NOSPACE", "CORRUPT"}
	alarmActions = []string{"GET", "ACTIVATE", "DEACTIVATE"}
)

const (
	noSpace = 1
	corrupt = 2
)

// alarm is an alarm that one member raised.
type alarm struct {
	member uint64
	kind   int
}

type alarmRequest struct {
	action int
	alarm
}

type alarmReply struct {
	Header *headerReply    `json:"header,omitempty"`
	Alarms []alarmOfMember `json:"alarms,omitempty"`
}

type alarmOfMember struct {
	MemberID uint64 `json:"memberID,string,omitempty"`
	Alarm    string `json:"alarm,omitempty"`
}

func decodeAlarm(d *decoder, o map[string]any) (alarmRequest, *Error) {
	var r alarmRequest
	for k, v := range o {
		switch k {
		case "action":
			r.action = d.enum(k, v, alarmActions)
		case "memberID":
			r.member = d.uint64(k, v)
		case "alarm":
			r.kind = d.enum(k, v, alarmTypes)
		}
	}
	return r, nil
}

// activeAlarms returns what is raised, of one kind or (0) of all.
func (s *Server) activeAlarms(kind int) []alarm {
	var out []alarm
	for a := range s.alarms {
		if kind == 0 || a.kind == kind {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b alarm) int {
		if a.kind != b.kind {
			return a.kind - b.kind
		}
		if a.member < b.member {
			return -1
		}
		return 1
	})
	return out
}

func (s *Server) serveAlarm(c *call, r alarmRequest) (any, *Error) {
	permit := s.auth.admin
	if r.action == 0 {
		permit = s.auth.user
	}
	if err := permit(c.user); err != nil {
		return nil, err
	}
	var told []alarm
	switch r.action {
	case 0:
		told = s.activeAlarms(r.kind)
	case 1:
		if r.kind != 0 {
			s.alarms[r.alarm] = true
			told = []alarm{r.alarm}
		}
	case 2:
		if s.alarms[r.alarm] {
			delete(s.alarms, r.alarm)
			told = []alarm{r.alarm}
		}
	}
	rep := alarmReply{Header: c.header()}
	for _, a := range told {
		rep.Alarms = append(rep.Alarms, alarmOfMember{a.member, alarmName(a.kind)})
	}
	return rep, nil
}

func alarmName(kind int) string {
	if kind > 0 && kind < len(alarmTypes) {
		return alarmTypes[kind]
	}
	return ""
}

// healthy refuses every write while an alarm says that data is corrupt.
func (s *Server) healthy() *Error {
	if len(s.activeAlarms(corrupt)) > 0 {
		return errCorrupt
	}
	return nil
}

// space refuses what costs space while there is none, and raises the alarm
// when the quota is reached. What costs nothing always passes.
func (s *Server) space(cost int64) *Error {
	if cost == 0 {
		return nil
	}
	if len(s.activeAlarms(noSpace)) > 0 {
		return errNoSpace
	}
	if s.opts.quota > 0 && s.store.bytes+cost >= s.opts.quota {
		s.alarms[alarm{s.members[max(s.leader, 0)].id, noSpace}] = true
		return errNoSpace
	}
	return nil
}

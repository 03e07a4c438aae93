package etcd

import (
	"context"
	"errors"
	"math"

	"github.com/quorate/quorate/internal/jsonwire"
)

// AlarmType is what an alarm is about.
type AlarmType int

// The alarms that members raise.
const (
	AlarmNone    AlarmType = 0
	AlarmNoSpace AlarmType = 1 // the quota is used up: only deletes are taken
	AlarmCorrupt AlarmType = 2 // the members' data differ
)

var alarmNames = []string{AlarmNone: "NONE", AlarmNoSpace: "NOSPACE", AlarmCorrupt: "CORRUPT"}

// String gives etcd's name of the alarm.
func (t AlarmType) String() string {
	if t >= 0 && int(t) < len(alarmNames) {
		return alarmNames[t]
	}
	return "alarm " + itoa(int64(t))
}

// An Alarm is an alarm that a member has raised.
type Alarm struct {
	Member MemberID
	Type   AlarmType
}

// Alarms lists the alarms that stand.
func (c *Client) Alarms(ctx context.Context) ([]Alarm, error) {
	r := &request{op: "alarm list", path: "/v3/maintenance/alarm", body: []byte("{}"), mode: modeRead}
	return c.alarms(ctx, r)
}

// DisarmAlarm takes an alarm away, which must be done by hand once its cause is
// gone. An alarm that does not stand is no error.
func (c *Client) DisarmAlarm(ctx context.Context, a Alarm) error {
	const op = "alarm disarm"
	if a.Type <= AlarmNone || int(a.Type) >= len(alarmNames) {
		return invalid(op, a.Type.String(), errors.New("no alarm is of that type"))
	}
	f := object(nil)
	f.text("action", "DEACTIVATE")
	f.uint("memberID", uint64(a.Member))
	f.text("alarm", alarmNames[a.Type])
	r := &request{op: op, on: a.Type.String() + " of member " + a.Member.String(), path: "/v3/maintenance/alarm", body: f.end(), mode: modeRepeatable}
	_, err := c.alarms(ctx, r)
	return err
}

// DisarmAlarms takes all alarms away that stand and returns them.
func (c *Client) DisarmAlarms(ctx context.Context) ([]Alarm, error) {
	list, err := c.Alarms(ctx)
	for i, a := range list {
		if err = c.DisarmAlarm(ctx, a); err != nil {
			return list[:i], err
		}
	}
	return list, err
}

func (c *Client) alarms(ctx context.Context, r *request) ([]Alarm, error) {
	var list []Alarm
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		list = nil
		for name := range rd.Object {
			if string(name) != "alarms" {
				continue
			}
			for range rd.Array {
				var a Alarm
				for field := range rd.Object {
					switch string(field) {
					case "memberID":
						a.Member = MemberID(rd.Uint64())
					case "alarm":
						a.Type = AlarmType(rd.Enum(alarmNames))
					}
				}
				list = append(list, a)
			}
		}
		return nil
	})
	return list, err
}

// Defragment rewrites the database of the member at endpoint, one of the
// client's, to give free space back to the file system. The member answers
// nothing else meanwhile, which can take long: ctx alone bounds it. Do one
// member at a time, the leader last.
func (c *Client) Defragment(ctx context.Context, endpoint string) error {
	ep, err := c.endpoint("defragment", endpoint)
	if err != nil {
		return err
	}
	r := &request{op: "defragment", path: "/v3/maintenance/defragment", body: []byte("{}"), mode: modeRepeatable, timeout: -1, anyMember: true}
	return c.askOne(ctx, ep, r, ignoreReply)
}

// A HashResult is the hash of a member's data. Members that agree on the data
// have the same HashKV at one revision.
type HashResult struct {
	Header          Header
	Hash            uint32 // CRC-32 (Castagnoli)
	CompactRevision int64  // of HashKV: up to where history was compacted
	HashRevision    int64  // of HashKV: up to where the hash goes; 0 before etcd 3.6
}

// Hash gives the hash of the whole database of the member at endpoint, one of
// the client's. It differs between members that were restarted or defragmented
// at different times; HashKV is for comparing them.
func (c *Client) Hash(ctx context.Context, endpoint string) (*HashResult, error) {
	return c.hash(ctx, "hash", "/v3/maintenance/hash", endpoint, 0)
}

// HashKV gives the hash of all keys and their history up to revision (0: the
// present) as the member at endpoint, one of the client's, has them. etcd 3.4
// gives ErrUnsupported.
func (c *Client) HashKV(ctx context.Context, endpoint string, revision int64) (*HashResult, error) {
	if revision < 0 {
		return nil, invalid("hashkv", "", errors.New("negative revision"))
	}
	return c.hash(ctx, "hashkv", "/v3/maintenance/hashkv", endpoint, revision)
}

func (c *Client) hash(ctx context.Context, op, path, endpoint string, revision int64) (*HashResult, error) {
	ep, err := c.endpoint(op, endpoint)
	if err != nil {
		return nil, err
	}
	f := object(nil)
	f.int("revision", revision)
	r := &request{op: op, path: path, body: f.end(), mode: modeRead, anyMember: true}
	var h *HashResult
	err = c.askOne(ctx, ep, r, func(rd *jsonwire.Reader) error {
		h = new(HashResult)
		d := decoder{rd, 0}
		for name := range d.Object {
			switch string(name) {
			case "header":
				d.header(&h.Header)
			case "hash":
				v := d.Uint64()
				if v > math.MaxUint32 {
					return errShape("a hash of more than 32 bits")
				}
				h.Hash = uint32(v)
			case "compact_revision":
				h.CompactRevision = d.Int64()
			case "hash_revision":
				h.HashRevision = d.Int64()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

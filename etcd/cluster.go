package etcd

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/jsonwire"
)

// MemberID names a member of the cluster.
type MemberID uint64

// String shows a member's id as etcdctl does, in hexadecimal.
func (id MemberID) String() string { return strconv.FormatUint(uint64(id), 16) }

// A Member is a member of the cluster.
type Member struct {
	ID         MemberID
	Name       string // empty as long as it was never started
	PeerURLs   []string
	ClientURLs []string // empty as long as it was never started
	Learner    bool     // it follows, but has no vote
}

// Members lists the cluster's members: with linearizable as the cluster knows
// them now, otherwise as the member that is asked knows them, which works
// without a quorum too.
func (c *Client) Members(ctx context.Context, linearizable bool) ([]Member, error) {
	f := object(nil)
	f.flag("linearizable", linearizable)
	r := &request{op: "member list", path: "/v3/cluster/member/list", body: f.end(), mode: modeRead, anyMember: !linearizable}
	var members []Member
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		_, members = decodeMembers(rd)
		return nil
	})
	return members, err
}

// AddMember adds a voting member that is to be started with peerURLs, and
// returns it with the id it got. If the error answers ErrUnknownOutcome, see
// with Members whether it was added.
func (c *Client) AddMember(ctx context.Context, peerURLs ...string) (*Member, error) {
	return c.addMember(ctx, "member add", false, peerURLs)
}

// AddLearner is AddMember for a member without a vote, until PromoteMember
// gives it one.
func (c *Client) AddLearner(ctx context.Context, peerURLs ...string) (*Member, error) {
	return c.addMember(ctx, "member add learner", true, peerURLs)
}

func (c *Client) addMember(ctx context.Context, op string, learner bool, peerURLs []string) (*Member, error) {
	if err := checkURLs(peerURLs); err != nil {
		return nil, invalid(op, "", err)
	}
	f := object(nil)
	f.texts("peerURLs", peerURLs)
	f.flag("isLearner", learner)
	r := &request{op: op, on: strings.Join(peerURLs, " "), path: "/v3/cluster/member/add", body: f.end(), mode: modeWrite}
	var added *Member
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		if added, _ = decodeMembers(rd); added == nil && rd.Err() == nil {
			return errShape("no member in the answer")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

// PromoteMember gives a learner that has caught up a vote.
func (c *Client) PromoteMember(ctx context.Context, id MemberID) error {
	return c.changeMember(ctx, "member promote", "/v3/cluster/member/promote", id, nil, modeWrite)
}

// UpdateMember changes the URLs at which the other members find a member.
func (c *Client) UpdateMember(ctx context.Context, id MemberID, peerURLs ...string) error {
	const op = "member update"
	if err := checkURLs(peerURLs); err != nil {
		return invalid(op, id.String(), err)
	}
	return c.changeMember(ctx, op, "/v3/cluster/member/update", id, peerURLs, modeRepeatable)
}

// RemoveMember removes a member from the cluster. One that is not there gives
// ErrMemberNotFound.
func (c *Client) RemoveMember(ctx context.Context, id MemberID) error {
	err := c.changeMember(ctx, "member remove", "/v3/cluster/member/remove", id, nil, modeRepeatable)
	return goneIsDone(err, ErrMemberNotFound)
}

func (c *Client) changeMember(ctx context.Context, op, path string, id MemberID, peerURLs []string, mode callMode) error {
	f := object(nil)
	f.uint("ID", uint64(id))
	f.texts("peerURLs", peerURLs)
	r := &request{op: op, on: id.String(), path: path, body: f.end(), mode: mode}
	return c.do(ctx, r, ignoreReply)
}

// MoveLeader makes the leader hand its office to target, a voting member. Only
// the leader can do that, so it must be among the client's endpoints.
func (c *Client) MoveLeader(ctx context.Context, target MemberID) error {
	f := object(nil)
	f.uint("targetID", uint64(target))
	r := &request{op: "move leader", on: "to " + target.String(), path: "/v3/maintenance/transfer-leadership", body: f.end(), mode: modeRepeatable}
	var errs []error
	for _, ep := range c.eps.list {
		err := c.askOne(ctx, ep, r, ignoreReply)
		if err == nil || !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrUnavailable) {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func checkURLs(urls []string) error {
	if len(urls) == 0 {
		return errors.New("no peer URL")
	}
	for _, u := range urls {
		if !strings.Contains(u, "://") || redactURL(u) != u {
			return errors.New("not a peer URL: " + strconv.Quote(redactURL(u)))
		}
	}
	return nil
}

// goneIsDone makes "not there" a success where an earlier attempt of the same
// call may have removed it.
func goneIsDone(err, gone error) error {
	if errors.Is(err, gone) && errors.Is(err, ErrUnknownOutcome) {
		return nil
	}
	return err
}

// ignoreReply reads a reply that says nothing.
func ignoreReply(rd *jsonwire.Reader) error {
	rd.Skip()
	return nil
}

// askOne sends r to one member, once; only a token that was refused is fetched
// anew.
func (c *Client) askOne(ctx context.Context, ep *endpoint, r *request, decode func(*jsonwire.Reader) error) error {
	for attempt := 1; ; attempt++ {
		f := c.attempt(ctx, ep, r, attempt, decode)
		if f == nil {
			return nil
		}
		if f.verdict != verdictToken || attempt > 2 {
			f.err.Unknown = f.verdict == verdictUnknown && r.mode != modeRead
			return f.err
		}
	}
}

// texts writes a list of strings.
func (f *fields) texts(name string, v []string) {
	if len(v) == 0 {
		return
	}
	f.name(name)
	f.b = append(f.b, '[')
	for _, s := range v {
		f.b = jsonwire.AppendString(jsonwire.AppendElem(f.b), s)
	}
	f.b = append(f.b, ']')
}

func (f *fields) uint(name string, v uint64) {
	if v != 0 {
		f.b = jsonwire.AppendUint64Field(f.b, name, v)
	}
}

// decodeMembers reads a reply that names one member, or all, or both.
func decodeMembers(rd *jsonwire.Reader) (one *Member, all []Member) {
	for name := range rd.Object {
		switch string(name) {
		case "member":
			one = new(Member)
			one.decode(rd)
		case "members":
			for range rd.Array {
				all = append(all, Member{})
				if all[len(all)-1].decode(rd); all[len(all)-1].ID == 0 {
					rd.Refuse("member without an id")
				}
			}
		}
	}
	return one, all
}

func (m *Member) decode(rd *jsonwire.Reader) {
	for name := range rd.Object {
		switch string(name) {
		case "ID":
			m.ID = MemberID(rd.Uint64())
		case "name":
			m.Name = rd.String()
		case "peerURLs":
			m.PeerURLs = appendStrings(m.PeerURLs, rd)
		case "clientURLs":
			m.ClientURLs = appendStrings(m.ClientURLs, rd)
		case "isLearner":
			m.Learner = rd.Bool()
		}
	}
}

func appendStrings(dst []string, rd *jsonwire.Reader) []string {
	for range rd.Array {
		dst = append(dst, rd.String())
	}
	return dst
}

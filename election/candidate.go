package election

import (
	"context"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A Candidate is somebody who leads or wants to, as it told of itself.
type Candidate struct {
	Position int    // 0 of the leader; the next in line has 1
	Value    []byte // what it last said
	// Created is the revision that created its key. Together with Key it tells
	// this candidate from all others. It is no fencing token: see Term.Token.
	Created  int64
	Key      string
	Lease    etcd.LeaseID
	Host     string            // name of its machine
	PID      int               // its process
	Program  string            // base name of its executable
	Since    time.Time         // when it entered the line, by its own clock
	Metadata map[string]string // see WithMetadata
	// Native says that the candidate was not made by this package, or that it
	// stands below a raw prefix. Only the key, its revision and its value are
	// known.
	Native bool

	member line.Member
}

// Is reports whether c is the candidate d, perhaps at another time. A leader that
// the leadership was handed to has another key than when it waited, and is the
// same.
func (c Candidate) Is(d Candidate) bool { return c.identity() == d.identity() }

func (c Candidate) identity() line.Heir {
	if h := c.member.Heir; h != nil {
		return *h
	}
	return line.Heir{Key: c.Key, Created: c.Created}
}

// String describes the candidate for messages, not its value.
func (c Candidate) String() string {
	return line.Member{
		Note:  line.Note{Host: c.Host, PID: c.PID, Program: c.Program, Since: c.Since},
		Key:   c.Key,
		Token: c.Created,
	}.Who()
}

func candidate(m line.Member) Candidate {
	return Candidate{
		Value: m.Value, Created: m.Token, Lease: m.Lease, Key: m.Key,
		Host: m.Host, PID: m.PID, Program: m.Program, Since: m.Since, Metadata: m.Meta,
		Native: m.Foreign, member: m,
	}
}

// A State is who leads and who wants to, all as of one revision.
type State struct {
	Name       string
	Revision   int64       // 0 of what All gives, which does not tell it
	Leader     *Candidate  // nil if nobody leads
	Candidates []Candidate // those who wait, in the order of the line
}

// Look reads who leads in the election of that name and who wants to. It needs
// no session. Of the options only WithPrefix has a meaning.
func Look(ctx context.Context, c *etcd.Client, name string, opts ...Option) (*State, error) {
	o := collect(opts)
	prefix, err := o.prefix(name)
	if err != nil {
		return nil, failed("look at", o.show(name), err)
	}
	return look(ctx, c, o.show(name), prefix, o.useRaw)
}

func look(ctx context.Context, c *etcd.Client, name, prefix string, raw bool) (*State, error) {
	if c == nil {
		return nil, failed("look at", name, line.ErrNoClient)
	}
	r, err := c.Get(ctx, etcd.Prefix(prefix))
	if err != nil {
		return nil, failed("look at", name, err)
	}
	return state(name, prefix, r.KVs, raw, r.Header.Revision), nil
}

func state(name, prefix string, kvs []etcd.KV, raw bool, revision int64) *State {
	s := &State{Name: name, Revision: revision}
	for i, m := range line.Members(prefix, kvs, raw) {
		c := candidate(m)
		c.Position = i
		if i == 0 {
			s.Leader = &c
		} else {
			s.Candidates = append(s.Candidates, c)
		}
	}
	return s
}

// State reads who leads and who wants to.
func (e *Election) State(ctx context.Context) (*State, error) {
	if err := e.wrong(); err != nil {
		return nil, failed("look at", e.show(), err)
	}
	return look(ctx, e.line.Session().Client(), e.show(), e.line.Prefix(), e.o.useRaw)
}

// Leader tells who leads. If nobody does, the error answers errors.Is for
// ErrVacant.
func (e *Election) Leader(ctx context.Context) (Candidate, error) {
	s, err := e.State(ctx)
	if err != nil {
		return Candidate{}, err
	}
	if s.Leader == nil {
		return Candidate{}, failed("look at", e.show(), ErrVacant)
	}
	return *s.Leader, nil
}

// Candidates tells who waits to lead, in the order of the line.
func (e *Election) Candidates(ctx context.Context) ([]Candidate, error) {
	s, err := e.State(ctx)
	if err != nil {
		return nil, err
	}
	return s.Candidates, nil
}

package election

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// An Election is a description of an election and of how this process stands
// for it; it holds nothing itself. It is safe for use by many goroutines at
// once, and two campaigns of one Election are two candidates.
type Election struct {
	name string
	o    options
	line *line.Line
	err  error
}

// New describes the election of that name. It does no I/O: what is wrong with
// the name or an option is said by the first call.
func New(s *etcd.Session, name string, opts ...Option) *Election {
	return newElection(s, name, collect(opts))
}

func newElection(s *etcd.Session, name string, o options) *Election {
	e := &Election{name: name, o: o}
	prefix, err := o.prefix(name)
	switch {
	case s == nil || s.Client() == nil:
		e.err = errors.New("no session")
	case err != nil:
		e.err = err
	default:
		if o.health != nil {
			h, err := o.health.complete(s)
			e.err, e.o.health = err, &h
		}
		e.line = line.New(s, prefix, o.show(name))
	}
	return e
}

// wrong says what is wrong with the description of the election.
func (e *Election) wrong() error {
	if e == nil {
		e = new(Election)
	}
	if e.err == nil && e.line == nil {
		return errors.New("it was not made by New")
	}
	return e.err
}

// with gives the same election for another session.
func (e *Election) with(s *etcd.Session) *Election { return newElection(s, e.name, e.o) }

// show names the election in messages.
func (e *Election) show() string {
	if e == nil {
		return ""
	}
	return e.o.show(e.name)
}

func (e *Election) rule() line.Rule {
	return line.Rule{Kind: line.Candidate, Raw: e.o.useRaw, Handover: !e.o.useRaw}
}

// Campaign stands for election and waits until the candidate leads; first come,
// first served. The deadline of ctx is the wait's timeout; once Campaign has
// returned, ctx has no influence on the term. The value says who the candidate
// is, as it likes, and may be empty; see MaxValue.
//
// Every error means that the caller does not lead and that nothing stands in
// line for it any more, or will not for long. If ctx ended, the error answers
// errors.Is for ctx's error and its cause, and tells who stood in front; the
// call may then return up to 2 seconds late if etcd does not answer. Where the
// session ended or the candidate's key was taken away while it waited, the error
// answers for that cause, as a term's context would.
//
// With a health check the candidate is in the line only while it is healthy;
// otherwise it leaves, and enters again, at the end, when it has recovered.
func (e *Election) Campaign(ctx context.Context, value []byte) (*Term, error) {
	return e.campaign(ctx, value, e.monitor())
}

// monitor makes one of the health check; nil where there is none.
func (e *Election) monitor() *monitor {
	if e == nil || e.o.health == nil {
		return nil
	}
	return &monitor{h: *e.o.health}
}

func (e *Election) campaign(ctx context.Context, value []byte, m *monitor) (*Term, error) {
	const op = "campaign"
	w, err := e.want(value)
	if err != nil {
		return nil, failed(op, e.show(), err)
	}
	var t *Term
	if m == nil {
		entry, aerr := line.Acquire(ctx, w)
		if err = aerr; err == nil {
			t = newTerm(e, entry, value)
		}
	} else {
		t, err = e.campaignHealthy(ctx, value, m)
	}
	if err != nil {
		return nil, failed(op, e.show(), err)
	}
	return t, nil
}

// want is the candidate's place.
func (e *Election) want(value []byte) (line.Want, error) {
	if err := e.wrong(); err != nil {
		return line.Want{}, err
	}
	if err := checkValue(value); err != nil {
		return line.Want{}, err
	}
	note, err := line.NewNote(line.Candidate, 0, e.o.meta)
	note.Value = slices.Clone(value)
	return line.Want{Line: e.line, Rule: e.rule(), Note: note}, err
}

func checkValue(value []byte) error {
	if len(value) > MaxValue {
		return fmt.Errorf("the value is larger than %d bytes: it has %d", MaxValue, len(value))
	}
	return nil
}

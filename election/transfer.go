package election

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// Transfer ends the term and lets a candidate lead that waits in the line,
// wherever it stands: in one commit, so that there is neither a vacancy nor a
// second leader. The candidate is one that State or Candidates gave; the others
// keep their places.
//
// The term's context ends before the commit is sent, so the work has to stop
// before, or with it. If the candidate is not there any more, or is the leader
// itself, the error answers errors.Is for ErrNoCandidate and the term goes on, as
// it does if ctx ended before the candidate could be looked for. If the candidate
// left in the very moment, and after every other failure once the commit was sent,
// the term is resigned, so that somebody leads; Err tells. If the outcome is
// unknown, the candidate leads, or the next in line.
//
// Below a raw prefix the error answers errors.Is for ErrRawPrefix.
func (t *Term) Transfer(ctx context.Context, to Candidate) error {
	const op = "transfer"
	if !t.given() {
		return failed(op, "", errNotGiven)
	}
	if t.raw {
		return failed(op, t.name, ErrRawPrefix)
	}
	if err := t.entry.Err(); err != nil {
		return t.over(op, err)
	}
	m, err := t.seek(ctx, to)
	if over := t.entry.Err(); over != nil {
		return t.over(op, over)
	}
	if err != nil {
		return failed(op, t.name, err)
	}
	err = t.entry.Handover(ctx, m)
	over := t.entry.Err()
	switch {
	case errors.Is(over, ErrTransferred): // done, or resigned
		t.leave.Do(func() { close(t.leaving) })
	case over != nil: // it was over before
		return t.over(op, over)
	}
	if err != nil {
		if loss := t.entry.Loss(); loss != nil {
			return lost(op, t.name, noCandidate(errors.Join(loss, err)))
		}
		return failed(op, t.name, noCandidate(err))
	}
	return nil
}

// noCandidate makes an error of the line about a candidate one of this package.
func noCandidate(err error) error {
	if errors.Is(err, line.ErrNoSuchContender) {
		return errors.Join(ErrNoCandidate, err)
	}
	return err
}

// find reads a candidate as it is now, which is not the leader itself.
func (t *Term) find(ctx context.Context, to Candidate) (line.Member, error) {
	m, err := find(ctx, t.line.Session().Client(), t.line.Prefix(), to)
	if err == nil && t.entry.Is(m) {
		err = fmt.Errorf("%w: it leads itself", ErrNoCandidate)
	}
	return m, err
}

// seek is find, again and again while etcd can't be asked and the term lasts.
func (t *Term) seek(ctx context.Context, to Candidate) (line.Member, error) {
	var pace line.Pacer
	for {
		m, err := t.find(ctx, to)
		if err == nil || !line.Transient(err) || ctx.Err() != nil {
			return m, err
		}
		if werr := pace.Wait(ctx, t.Context()); werr != nil {
			return m, errors.Join(werr, err)
		}
	}
}

// find reads a candidate as it is now.
func find(ctx context.Context, c *etcd.Client, prefix string, to Candidate) (line.Member, error) {
	if to.Key == "" {
		return line.Member{}, ErrNoCandidate
	}
	r, err := c.Get(ctx, etcd.Key(to.Key))
	if err != nil {
		return line.Member{}, err
	}
	for _, m := range line.Members(prefix, r.KVs, false) {
		if m.Token == to.Created && m.CanLead() {
			return m, nil
		}
	}
	return line.Member{}, ErrNoCandidate
}

// A Request is somebody's wish that the leader hand over to a candidate; see
// Ask.
type Request struct {
	To      Candidate // only Key and Created are set
	Host    string    // of whoever asks
	PID     int
	Program string
}

// Request waits until somebody wishes that the leader hand over, and gives the
// latest wish. It is for the leader to decide; Run follows. The error is that of
// ctx, or tells that the term is over.
func (t *Term) Request(ctx context.Context) (Request, error) {
	if !t.given() {
		return Request{}, failed("lead", "", errNotGiven)
	}
	select {
	case a := <-t.entry.Asked():
		return request(a), nil
	case <-ctx.Done():
		return Request{}, ctx.Err()
	case <-t.Context().Done():
		return Request{}, t.Err()
	}
}

func request(a line.Asking) Request {
	return Request{To: Candidate{Key: a.To.Key, Created: a.To.Created}, Host: a.Host, PID: a.PID, Program: a.Program}
}

// wish waits until somebody wishes that the leader hand over to a candidate that
// is there. While that can't be looked at it goes on trying, with the latest wish.
func (t *Term) wish(ctx context.Context) (Candidate, error) {
	var pace line.Pacer
	q, err := t.Request(ctx)
	for err == nil {
		_, ferr := t.find(ctx, q.To)
		switch {
		case ferr == nil:
			return q.To, nil
		case !line.Transient(ferr): // it has left, or leads
			q, err = t.Request(ctx)
			continue
		}
		err = pace.Wait(ctx, t.Context())
		select {
		case a := <-t.entry.Asked():
			q = request(a)
		default:
		}
	}
	return Candidate{}, err
}

// Ask asks the leader, as it was looked at, to hand over to a candidate of the
// same State. It returns when the wish is written down; a leader that Run runs
// stops its work and follows. If the leader or its value has changed since, the
// error answers errors.Is for ErrChanged; and for etcd.ErrUnknownOutcome as well
// if the wish may have been written down nevertheless.
func Ask(ctx context.Context, c *etcd.Client, name string, leader, to Candidate, opts ...Option) error {
	return meddle(ctx, c, "ask", name, opts, leader, to, func(string) error {
		return line.Ask(ctx, c, leader.member, to.member)
	})
}

// Depose takes the leadership from the leader and gives it to a candidate of the
// same State, in one commit, whatever the leader is doing. The leader hears of
// it only when its event arrives, and until then only its guard, or its token,
// keeps it from doing harm: depose who is stuck, and ask who is not.
//
// If the leader or its value has changed since, the error answers errors.Is for
// ErrChanged; and for etcd.ErrUnknownOutcome as well if it may have been deposed.
func Depose(ctx context.Context, c *etcd.Client, name string, leader, to Candidate, opts ...Option) error {
	return meddle(ctx, c, "depose", name, opts, leader, to, func(prefix string) error {
		return line.Depose(ctx, c, prefix, leader.member, to.member)
	})
}

func meddle(ctx context.Context, c *etcd.Client, op, name string, opts []Option, leader, to Candidate, do func(prefix string) error) error {
	o := collect(opts)
	prefix, err := o.prefix(name)
	switch {
	case err != nil:
	case c == nil:
		err = line.ErrNoClient
	case o.useRaw:
		err = ErrRawPrefix
	case leader.Native || leader.member.Key == "" || to.Native || to.member.Key == "" || leader.Key == to.Key:
		err = ErrNoCandidate
	default:
		err = noCandidate(do(prefix))
	}
	return failed(op, o.show(name), err)
}

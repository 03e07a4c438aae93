package lock

import (
	"context"
	"errors"
	"strings"

	"github.com/quorate/quorate/internal/line"
)

// A Part is something that AcquireAll takes: a *Mutex, the Reader or Writer of
// an RWMutex, or a Weight of a Semaphore.
type Part interface {
	want() (name string, w line.Want, err error)
}

// part is a rule for a line.
type part struct {
	c    *contest
	rule line.Rule
}

func (p part) want() (string, line.Want, error) {
	w, err := p.c.want(p.rule)
	return p.c.name, w, err
}

func (m *Mutex) want() (string, line.Want, error) {
	w, err := m.its().want(m.rule())
	return m.its().name, w, err
}

// AcquireAll waits until all of parts are held, under one handle. It enters all
// lines in one commit, so it keeps the order of arrival in each, and two that
// ask for the same locks in different order never wait for each other. All
// parts must be of one session and of different locks, at most 60.
//
// The handle has one token, which in each of the lines is greater than those of
// the holders before, and one guard, which holds only while all are held. The
// loss of one is the loss of all; Release lets all go.
func AcquireAll(ctx context.Context, parts ...Part) (*Handle, error) {
	return enterAll(ctx, "acquire all of", line.Acquire, parts)
}

// TryAcquireAll takes all of parts if none of them would have to wait, in one
// commit. Otherwise the error answers errors.Is for ErrHeld, and nothing is
// taken. See AcquireAll.
func TryAcquireAll(ctx context.Context, parts ...Part) (*Handle, error) {
	return enterAll(ctx, "try all of", line.Try, parts)
}

func enterAll(ctx context.Context, op string, enter enter, parts []Part) (*Handle, error) {
	var (
		wants []line.Want
		all   []string
		wrong error
	)
	for _, p := range parts {
		if p == nil {
			wrong = errors.Join(wrong, errors.New("a part is nil"))
			continue
		}
		name, w, err := p.want()
		all = append(all, name)
		wants = append(wants, w)
		wrong = errors.Join(wrong, err)
	}
	name := strings.Join(all, ", ")
	if wrong != nil {
		return nil, failed(op, name, wrong)
	}
	e, err := enter(ctx, wants...)
	if err != nil {
		return nil, failed(op, name, err)
	}
	return newHandle(name, e), nil
}

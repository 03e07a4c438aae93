package election

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A HealthCheck says whether this process is fit to lead. A candidate that is
// not leaves the line until it is again. The term of a leader that is not ends:
// its context first, with ErrUnhealthy and the check's error as its cause; the
// next one leads when the term is resigned, or after Grace at the latest. So
// whoever resigns only when the work has stopped, as Run does, is never
// overtaken by the next leader.
type HealthCheck struct {
	// Check gives nil if all is well. Several campaigns of one Election may call
	// it at a time. It should return when its context ends;
	// one that does not counts as failed, and is not called again for the same
	// Campaign, its term or Run before it has returned. Resign waits for that as
	// long as its context lasts; a Campaign that has failed does not wait.
	Check func(context.Context) error
	// Every is the time between two checks. Default 5 s.
	Every time.Duration
	// Timeout bounds one check. Default Every.
	Timeout time.Duration
	// Failures is how many checks in a row have to fail. Default 1.
	Failures int
	// Grace is how long a leader that is unhealthy has to resign by itself.
	// Default the session's TTL.
	Grace time.Duration
}

const defaultCheckEvery = 5 * time.Second

// complete fills in the defaults.
func (h HealthCheck) complete(s *etcd.Session) (HealthCheck, error) {
	switch {
	case h.Check == nil:
		return h, errors.New("a health check without a function")
	case h.Every < 0 || h.Timeout < 0 || h.Grace < 0 || h.Failures < 0:
		return h, errors.New("a health check with a negative number")
	}
	if h.Every == 0 {
		h.Every = defaultCheckEvery
	}
	if h.Timeout == 0 {
		h.Timeout = h.Every
	}
	if h.Failures == 0 {
		h.Failures = 1
	}
	if h.Grace == 0 {
		h.Grace = s.TTL()
	}
	return h, nil
}

// An unhealthy is why a check failed. It answers errors.Is for ErrUnhealthy.
type unhealthy struct{ err error }

func (u *unhealthy) Error() string        { return ErrUnhealthy.Error() + ": " + u.err.Error() }
func (u *unhealthy) Unwrap() error        { return u.err }
func (u *unhealthy) Is(target error) bool { return target == ErrUnhealthy }

// A monitor calls a health check again and again, on behalf of one candidate at a
// time.
type monitor struct {
	h      HealthCheck
	failed int    // checks in a row
	late   *probe // did not return in time, or was not waited for; nil without one
}

// A probe is one call of the check.
type probe struct {
	done chan struct{}
	err  error // once done
}

// check calls the function once and judges. It gives an *unhealthy once enough
// have failed in a row. The end of ctx is no failure.
func (m *monitor) check(ctx context.Context) error {
	if m.late == nil {
		m.late = &probe{done: make(chan struct{})}
		go m.late.run(ctx, m.h)
	}
	timer := time.NewTimer(m.h.Timeout)
	defer timer.Stop()
	var err error
	select {
	case <-m.late.done:
		err, m.late = m.late.err, nil
	case <-timer.C:
		err = fmt.Errorf("the check did not return within %v", m.h.Timeout)
	case <-ctx.Done():
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		m.failed = 0
		return nil
	}
	if m.failed++; m.failed < m.h.Failures {
		return nil
	}
	return &unhealthy{err}
}

// run calls the check. A panic of that does not end the process.
func (p *probe) run(ctx context.Context, h HealthCheck) {
	defer close(p.done)
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			p.err = fmt.Errorf("the check panicked: %v", v)
		}
	}()
	p.err = h.Check(ctx)
}

// watch checks until a check fails, which it gives, or ctx ends.
func (m *monitor) watch(ctx context.Context) error {
	for {
		if !sleep(ctx, m.h.Every) {
			return nil
		}
		if err := m.check(ctx); err != nil {
			return err
		}
	}
}

// recover waits until a check says that all is well. It gives the last failure
// if ctx ends before.
func (m *monitor) recover(ctx context.Context) error {
	var last error
	for {
		switch err := m.check(ctx); {
		case err != nil:
			last = err
		case m.failed == 0 && ctx.Err() == nil:
			return nil
		}
		if !sleep(ctx, m.h.Every) {
			return last
		}
	}
}

// wait waits until whoever used the monitor has left off, as that tells, and no
// check runs.
func (m *monitor) wait(ctx context.Context, off <-chan struct{}) error {
	if closed(ctx, off) && (m.late == nil || closed(ctx, m.late.done)) {
		return nil
	}
	return fmt.Errorf("the health check has not returned: %w", ctx.Err())
}

// closed waits until c is closed, and reports false if ctx ends before.
func closed(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
	}
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// sleep waits for d and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// campaignHealthy is a campaign that is in the line only while the check says
// that all is well.
func (e *Election) campaignHealthy(ctx context.Context, value []byte, m *monitor) (*Term, error) {
	s := e.line.Session()
	for {
		if err := s.Err(); err != nil {
			return nil, err
		}
		bound, unbind := s.Bind(ctx)
		err := m.recover(bound)
		if bound.Err() != nil {
			cause := context.Cause(bound)
			unbind()
			if ctx.Err() != nil {
				cause = errors.Join(ctx.Err(), context.Cause(ctx))
			}
			return nil, errors.Join(cause, err)
		}
		unbind()
		w, err := e.want(value) // which says since when it stands there
		if err != nil {
			return nil, err
		}
		entry, watch, err := e.stand(ctx, m, w)
		switch {
		case err == nil:
			t := newTerm(e, entry, value)
			t.health, t.unwatched = m, make(chan struct{})
			go t.heed(watch)
			return t, nil
		case errors.Is(err, ErrUnhealthy) && ctx.Err() == nil && s.Err() == nil:
			continue
		}
		return nil, err
	}
}

// A vigil is a monitor at work.
type vigil struct {
	sick chan error    // gets what a check has found, once
	off  chan struct{} // closed when no check is begun any more
}

// stand is a wait in the line that a failed check ends. When the entry leads the
// checks go on.
func (e *Election) stand(ctx context.Context, m *monitor, w line.Want) (*line.Entry, vigil, error) {
	life, end := context.WithCancel(e.line.Session().Context())
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	v := vigil{make(chan error, 1), make(chan struct{})}
	go func() {
		defer close(v.off)
		if err := m.watch(life); err != nil {
			cancel(err)
			v.sick <- err
		}
	}()
	entry, err := line.Acquire(waiting, w)
	if err != nil {
		end()
		if cause := context.Cause(waiting); errors.Is(cause, ErrUnhealthy) && ctx.Err() == nil {
			err = cause
		}
		<-v.off
		return nil, v, err
	}
	context.AfterFunc(entry.Context(), end)
	return entry, v, nil
}

// heed ends the term when a check says so. It closes t.unwatched when the monitor
// is not used for the term any more.
func (t *Term) heed(v vigil) {
	defer close(t.unwatched)
	select {
	case err := <-v.sick:
		t.entry.Quit(err)
	case <-t.entry.Context().Done():
		<-v.off
		return
	}
	<-v.off
	grace := time.NewTimer(t.health.h.Grace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-t.leaving:
		return // and what that can't remove the session does
	}
	ctx, cancel := context.WithTimeout(t.line.Session().Context(), releaseTimeout)
	defer cancel()
	_ = t.entry.Release(ctx)
}

// releaseTimeout bounds a release that nobody waits for.
const releaseTimeout = 5 * time.Second

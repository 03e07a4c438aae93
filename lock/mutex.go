package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A Mutex is a lock that one at a time can hold, in all processes that use the
// same name: a description, which holds nothing itself. It is safe for use by
// many goroutines at once, and two of them exclude each other as two processes
// do. One Mutex used again and again is cheaper than a new one each time.
type Mutex struct{ contest }

// New describes the mutex of that name. It does no I/O: what is wrong with the
// name or an option is said by the first call.
func New(s *etcd.Session, name string, opts ...Option) *Mutex {
	m := &Mutex{newContest(s, name, opts)}
	o := collect(opts)
	if o.useQuarantine && m.err == nil {
		m.quarantine, m.err = o.checkQuarantine()
	}
	return m
}

// noQuarantine refuses the option for other locks than a Mutex.
func (c *contest) noQuarantine(opts []Option) {
	if c.err == nil && collect(opts).useQuarantine {
		c.err = errors.New("only a Mutex has a quarantine")
	}
}

// checkQuarantine gives the quarantine as it will be.
func (o options) checkQuarantine() (time.Duration, error) {
	const most = 24 * time.Hour
	switch d := o.quarantine; {
	case d <= 0 || d > most:
		return 0, fmt.Errorf("the quarantine is not between 0 and %v: %v", most, d)
	case o.useRaw:
		return 0, errors.New("a quarantine does not go with a raw prefix: contenders of other programs would not respect it")
	default:
		return max((d + time.Second - 1).Truncate(time.Second), 2*time.Second), nil
	}
}

// rule is that of a writer.
func (m *Mutex) rule() line.Rule {
	return line.Rule{Kind: line.Writer, Quarantine: m.its().quarantine}
}

func newContest(s *etcd.Session, name string, opts []Option) contest {
	o := collect(opts)
	c := contest{name: o.show(name), meta: o.meta}
	prefix, err := o.prefix(name)
	switch {
	case s == nil || s.Client() == nil:
		c.err = errors.New("no session")
	case err != nil:
		c.err = err
	default:
		c.line = line.New(s, prefix, c.name)
	}
	return c
}

// Acquire waits until the lock is held, first come, first served. The deadline
// of ctx is the wait's timeout.
//
// Every error means that the lock is not held and that nothing stands in line
// for it any more, or will not for long. If ctx ended, the error answers
// errors.Is for ctx's error and its cause, and tells who holds the lock; the
// call may then return up to 2 seconds late if etcd does not answer. Where the
// session ended or the contender's key was taken away while it waited, the
// error answers for that cause, as a held lock's context would.
func (m *Mutex) Acquire(ctx context.Context) (*Handle, error) {
	return m.its().acquire(ctx, "acquire", line.Acquire, m.rule())
}

// TryAcquire takes the lock if nobody holds it and nobody waits for it;
// otherwise the error answers errors.Is for ErrHeld and tells who is there. It
// never stands in the line. (That of a lock that several can hold does so for a
// moment where many come and go all the time, and leaves if it would have to
// wait.)
func (m *Mutex) TryAcquire(ctx context.Context) (*Handle, error) {
	return m.its().acquire(ctx, "try", line.Try, m.rule())
}

// Do calls fn while it holds the lock, and releases it afterwards, also if fn
// panics. The context that fn gets ends with ctx and with the lock, whichever
// is first.
//
// The error is fn's; if the lock was lost before fn returned, it also answers
// errors.Is for ErrLost and the cause. That the release could not be confirmed
// is no error: the work is done, and the session goes on removing the key.
func (m *Mutex) Do(ctx context.Context, fn func(ctx context.Context, h *Handle) error) error {
	h, err := m.Acquire(ctx)
	if err != nil {
		return err
	}
	return h.do(ctx, fn)
}

// enter is a way to enter lines: line.Acquire or line.Try.
type enter = func(context.Context, ...line.Want) (*line.Entry, error)

func (c *contest) acquire(ctx context.Context, op string, enter enter, rule line.Rule) (*Handle, error) {
	w, err := c.want(rule)
	if err != nil {
		return nil, failed(op, c.name, err)
	}
	e, err := enter(ctx, w)
	if err != nil {
		return nil, failed(op, c.name, err)
	}
	return newHandle(c.name, e), nil
}

func (c *contest) want(rule line.Rule) (line.Want, error) {
	if err := c.wrong(); err != nil {
		return line.Want{}, err
	}
	note, err := line.NewNote(rule.Kind, rule.Weight, c.meta)
	return line.Want{Line: c.line, Rule: rule, Note: note}, err
}

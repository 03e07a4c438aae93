package lock

import (
	"errors"
	"maps"
	"time"

	"github.com/quorate/quorate/internal/line"
	"github.com/quorate/quorate/internal/names"
)

// Root is what the keys of all locks start with that have no prefix of their
// own.
const Root = "quorate/lock/"

// An Option changes how a lock is made.
type Option interface{ apply(*options) }

type options struct {
	raw    string
	useRaw bool
	meta   map[string]string

	quarantine    time.Duration
	useQuarantine bool
}

type option func(*options)

func (f option) apply(o *options) { f(o) }

// WithPrefix puts the contenders' keys below prefix + "/" instead of a place
// made of the name, which then only serves for messages. A Mutex excludes, and
// queues with, those of etcd's native Go client that are made with
// concurrency.NewMutex(session, prefix). Prefixes of which one starts with the
// other and a "/" do not mix.
func WithPrefix(prefix string) Option {
	return option(func(o *options) { o.raw, o.useRaw = prefix, true })
}

// WithMetadata adds what the contender says of itself, for whoever looks at the
// lock. It must not hold secrets. Names and values together are at most 4096
// bytes.
func WithMetadata(meta map[string]string) Option {
	return option(func(o *options) { o.meta = maps.Clone(meta) })
}

// WithQuarantine keeps everybody out of a Mutex for d after it was lost without
// a release: because the session ended, the key was deleted, or the lock was
// broken; also where a release could not be confirmed in time. It is for what goes on after its holder has died: a machine that is
// still writing, a request under way. d counts from when somebody first asks for
// the lock after the loss, by the server's clock; it is rounded up to whole
// seconds, at least 2.
//
// All parties must give the same; whoever gives another, or none, gets an error
// that answers errors.Is for ErrMismatch. An acquisition then costs a second
// commit. It does not go with WithPrefix.
func WithQuarantine(d time.Duration) Option {
	return option(func(o *options) { o.quarantine, o.useQuarantine = d, true })
}

func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	return o
}

// prefix gives what the keys of the lock's line start with.
func (o options) prefix(name string) (string, error) {
	if o.useRaw {
		return names.Prefix(o.raw)
	}
	segment, err := names.Escape(name)
	if err != nil {
		return "", err
	}
	return Root + segment + "/", nil
}

// show names the lock in messages.
func (o options) show(name string) string {
	if name == "" && o.useRaw {
		return o.raw
	}
	return name
}

// A contest is what the locks of all kinds are made of: a line, and what is
// known to be wrong with it.
type contest struct {
	name       string
	line       *line.Line
	meta       map[string]string
	quarantine time.Duration
	err        error
}

// its gives what a Mutex is made of, of a nil one what says that it was not made.
func (m *Mutex) its() *contest {
	if m == nil {
		return new(contest)
	}
	return &m.contest
}

// its is as that of a Mutex.
func (m *RWMutex) its() *contest {
	if m == nil {
		return new(contest)
	}
	return &m.contest
}

// its is as that of a Mutex.
func (m *Semaphore) its() *contest {
	if m == nil {
		return new(contest)
	}
	return &m.contest
}

// wrong says what is wrong with the description of the lock.
func (c *contest) wrong() error {
	if c.err == nil && c.line == nil {
		return errors.New("it was not made by New, NewRW or NewSemaphore")
	}
	return c.err
}

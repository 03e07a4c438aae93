package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/quorate/quorate/internal/names"
)

// An Option changes how a Queue is made.
type Option interface{ apply(*options) }

type options struct {
	raw       *string
	codec     any
	retention time.Duration
	log       *slog.Logger
}

type option func(*options)

func (f option) apply(o *options) { f(o) }

// WithPrefix puts all keys of the queue below prefix + "/" instead of a place
// made of its name, which then only serves for messages.
func WithPrefix(prefix string) Option { return option(func(o *options) { o.raw = &prefix }) }

// WithCodec sets how values become payloads. Default: JSON, and []byte as it is.
func WithCodec[T any](c Codec[T]) Option { return option(func(o *options) { o.codec = c }) }

// WithRetention removes dead letters that are older than d, as long as the
// queue has consumers that are given this option. Default: they stay until
// Purge.
func WithRetention(d time.Duration) Option { return option(func(o *options) { o.retention = d }) }

// WithLogger tells l of take-overs, of jobs that become dead letters and of
// keys that cannot be read. Default: silence.
func WithLogger(l *slog.Logger) Option { return option(func(o *options) { o.log = l }) }

// An EnqueueOption says something of a job, or of every job of an EnqueueMany.
type EnqueueOption interface{ applyEnqueue(*jobOptions) }

type jobOptions struct {
	priority  int
	delay     time.Duration
	at        time.Time
	ttl       time.Duration
	unique    string
	useUnique bool
	window    time.Duration
	forTime   bool // unique for the window, which is not zero
	headers   map[string]string
}

type enqueueOption func(*jobOptions)

func (f enqueueOption) applyEnqueue(o *jobOptions) { f(o) }

// Delay makes the job available after d, by this process's clock.
func Delay(d time.Duration) EnqueueOption { return enqueueOption(func(o *jobOptions) { o.delay = d }) }

// At makes the job available at t. A difference between the clocks of producer
// and consumers shifts it by as much.
func At(t time.Time) EnqueueOption { return enqueueOption(func(o *jobOptions) { o.at = t }) }

// Priority sets the priority from 0, the default, to MaxPriority, which goes
// first.
func Priority(p int) EnqueueOption { return enqueueOption(func(o *jobOptions) { o.priority = p }) }

// TTL bounds how long the job may wait: after d, from when it is due the first
// time, it becomes a dead letter instead of being delivered, also if it was
// delivered before and is to be tried again.
func TTL(d time.Duration) EnqueueOption { return enqueueOption(func(o *jobOptions) { o.ttl = d }) }

// Unique refuses the job, with a DuplicateError, while another has this key, and
// lets it keep the key until it is done, dead or cancelled. The key is any string
// of up to 512 bytes.
func Unique(key string) EnqueueOption {
	return enqueueOption(func(o *jobOptions) { o.unique, o.useUnique, o.window, o.forTime = key, true, 0, false })
}

// UniqueFor refuses the job as Unique does, but lets it keep the key for window
// from now on, by this process's clock, whether it is done by then or not. The
// window must be more than zero.
func UniqueFor(key string, window time.Duration) EnqueueOption {
	return enqueueOption(func(o *jobOptions) { o.unique, o.useUnique, o.window, o.forTime = key, true, window, true })
}

// Headers adds text that travels with the job, beside its value.
func Headers(h map[string]string) EnqueueOption {
	return enqueueOption(func(o *jobOptions) {
		if o.headers == nil {
			o.headers = make(map[string]string, len(h))
		}
		maps.Copy(o.headers, h)
	})
}

// maxDelay keeps times in ms positive and far from overflow.
const maxDelay = 100 * 365 * 24 * time.Hour

// template makes what all jobs of a call have in common.
func template(opts []EnqueueOption) (envelope, error) {
	var o jobOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applyEnqueue(&o)
		}
	}
	now := time.Now()
	e := envelope{At: millis(now), Priority: o.priority, Headers: o.headers}
	switch {
	case o.priority < 0 || o.priority > MaxPriority:
		return e, fmt.Errorf("the priority %d is not between 0 and %d", o.priority, MaxPriority)
	case o.delay < 0 || o.delay > maxDelay:
		return e, fmt.Errorf("the delay %v is out of range", o.delay)
	case o.ttl < 0 || o.ttl > maxDelay:
		return e, fmt.Errorf("the time to live %v is out of range", o.ttl)
	case o.delay > 0 && !o.at.IsZero():
		return e, errors.New("a job has a delay or a time, not both")
	case o.forTime && (o.window <= 0 || o.window > maxDelay):
		return e, fmt.Errorf("the window %v of the unique key is not between 0 and %v", o.window, maxDelay)
	}
	due := o.at
	if o.delay > 0 {
		due = now.Add(o.delay)
	}
	if due.After(now) {
		if due.Sub(now) > maxDelay {
			return e, fmt.Errorf("the time %v is too far away", due)
		}
		e.Due = millis(due.Add(time.Millisecond - 1)) // never early
	}
	if o.ttl > 0 {
		e.Expires = millis(max2(due, now).Add(o.ttl))
	}
	if o.useUnique {
		var err error
		if e.Unique, err = names.Escape(o.unique); err != nil {
			return e, fmt.Errorf("unique key: %w", err)
		}
		if o.forTime {
			e.UniqueUntil = millis(now.Add(o.window + time.Millisecond - 1)) // never early
		}
	}
	return e, checkHeaders(o.headers)
}

func max2(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

package sequence

import (
	"math"

	"github.com/quorate/quorate/internal/names"
)

// Root is what the keys of all sequences start with that have no key of their
// own.
const Root = "quorate/seq/"

// An Option says how a sequence is made and found.
type Option interface{ apply(*options) }

type options struct {
	key                   string
	useKey                bool
	start, step, min, max *int64
	cycle                 bool
	asFound, mustExist    bool
}

type option func(*options)

func (f option) apply(o *options) { f(o) }

// WithStart sets the first number. Default: the minimum, or the maximum where
// the step is negative.
func WithStart(n int64) Option { return option(func(o *options) { o.start = &n }) }

// WithStep sets the distance from one number to the next; negative numbers
// count down. Default 1.
func WithStep(n int64) Option { return option(func(o *options) { o.step = &n }) }

// WithMin sets the least number. Default: 1, or the start if that is less;
// where the step is negative, the least int64.
func WithMin(n int64) Option { return option(func(o *options) { o.min = &n }) }

// WithMax sets the greatest number. Default: the greatest int64; where the step
// is negative, -1, or the start if that is greater.
func WithMax(n int64) Option { return option(func(o *options) { o.max = &n }) }

// WithCycle begins again behind the last number, at the minimum, or at the
// maximum where the step is negative. Numbers are then given out again.
func WithCycle() Option { return option(func(o *options) { o.cycle = true }) }

// WithKey keeps the sequence under this key, and its mark under key + "/mark",
// instead of a place made of the name, which then only serves for messages.
func WithKey(key string) Option { return option(func(o *options) { o.key, o.useKey = key, true }) }

// AsFound uses a sequence that exists whatever its configuration is. The other
// options then only say how it is created.
func AsFound() Option { return option(func(o *options) { o.asFound = true }) }

// MustExist never creates the sequence: where there is none, the error answers
// errors.Is for ErrNotFound. By default the first use of a name creates it.
func MustExist() Option { return option(func(o *options) { o.mustExist = true }) }

func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	return o
}

// place gives the key of the sequence.
func (o options) place(name string) (string, error) {
	if !o.useKey {
		segment, err := names.Escape(name)
		return Root + segment, err
	}
	switch {
	case o.key == "":
		return "", invalid("the key is empty")
	case len(o.key) > names.MaxLen:
		return "", invalid("the key is longer than %d bytes", names.MaxLen)
	}
	return o.key, nil
}

// show names the sequence in messages.
func (o options) show(name string) string {
	if name == "" && o.useKey {
		return o.key
	}
	return name
}

// config fills in the defaults.
func (o options) config() (Config, error) {
	or := func(p *int64, d int64) int64 {
		if p != nil {
			return *p
		}
		return d
	}
	c := Config{Step: or(o.step, 1), Cycle: o.cycle}
	if c.Step >= 0 {
		c.Max = or(o.max, math.MaxInt64)
		c.Min = or(o.min, min(1, or(o.start, 1)))
		c.Start = or(o.start, c.Min)
	} else {
		c.Min = or(o.min, math.MinInt64)
		c.Max = or(o.max, max(-1, or(o.start, -1)))
		c.Start = or(o.start, c.Max)
	}
	return c, c.check()
}

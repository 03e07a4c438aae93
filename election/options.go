package election

import (
	"maps"

	"github.com/quorate/quorate/internal/names"
)

// Root is what the keys of all elections start with that have no prefix of
// their own.
const Root = "quorate/election/"

// MaxValue is how large the value of a candidate may be, in bytes.
const MaxValue = 256 << 10

// An Option changes how an election is made.
type Option interface{ apply(*options) }

type options struct {
	raw    string
	useRaw bool
	meta   map[string]string
	health *HealthCheck
}

type option func(*options)

func (f option) apply(o *options) { f(o) }

// WithPrefix puts the candidates' keys below prefix + "/" instead of a place
// made of the name, which then only serves for messages. Candidates stand in one
// line with those of etcd's native Go client that are made with
// concurrency.NewElection(session, prefix), and the value of a key is the
// candidate's value and nothing else: metadata is not shown. Leadership cannot be
// handed over there. Prefixes of which one starts with the other and a "/" do
// not mix.
func WithPrefix(prefix string) Option {
	return option(func(o *options) { o.raw, o.useRaw = prefix, true })
}

// WithMetadata adds what the candidate says of itself beside its value, for
// whoever looks at the election. It must not hold secrets. Names and values
// together are at most 4096 bytes.
func WithMetadata(meta map[string]string) Option {
	return option(func(o *options) { o.meta = maps.Clone(meta) })
}

// WithHealthCheck lets the candidate come forward only while it is healthy, and
// lets the leader resign when it is not.
func WithHealthCheck(h HealthCheck) Option {
	return option(func(o *options) { o.health = &h })
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

// prefix gives what the keys of the election's line start with.
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

// show names the election in messages.
func (o options) show(name string) string {
	if name == "" && o.useRaw {
		return o.raw
	}
	return name
}

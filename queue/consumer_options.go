package queue

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// A ConsumerOption changes how a consumer is made.
type ConsumerOption interface{ applyConsumer(*consumerOptions) }

type consumerOptions struct {
	prefetch    int
	maxAttempts int
	maxAge      time.Duration
	weights     map[int]int
	note        string
}

type consumerOption func(*consumerOptions)

func (f consumerOption) applyConsumer(o *consumerOptions) { f(o) }

// Defaults of a consumer.
const (
	// DefaultMaxAttempts is after how many deliveries a job that crashed its
	// consumer, alone, becomes a dead letter.
	DefaultMaxAttempts = 5
	// DefaultMaxClaimAge is how long a delivery may take.
	DefaultMaxClaimAge = time.Hour
	// maxClaim is how many jobs a claim holds.
	maxClaim = 1000
	// maxClaimBytes is how many bytes of jobs a claim holds, about.
	maxClaimBytes = 8 << 20
	// maxPrefetch bounds what a consumer holds in advance.
	maxPrefetch = 10000
	// maxAsked bounds what one Receive counts for in the demand: more than a claim
	// holds is of no use, and the sum over all must not overflow.
	maxAsked = 10000
)

// Prefetch makes the consumer claim up to n jobs more than Receive has asked
// for, so that they are at hand for the next. Default 0. What is claimed in
// advance is not for others to take until it is handed back: by Close, or when
// nobody has received it for as long as MaxClaimAge says.
func Prefetch(n int) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.prefetch = n })
}

// MaxAttempts sets after how many deliveries a job becomes a dead letter when it
// has crashed its consumer while it was claimed alone. Jobs that fail without
// taking their consumer along are its consumer's to judge. Default 5.
func MaxAttempts(n int) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.maxAttempts = n })
}

// MaxClaimAge bounds how long the consumer may keep a delivery: after d its
// context ends with ErrClaimAge and others get it, at one attempt more and as a
// suspect, and with it those that were claimed together with it and are not
// settled. What was claimed in advance goes back after d at no attempt. Default one
// hour; negative means no bound.
func MaxClaimAge(d time.Duration) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.maxAge = d })
}

// Weighted lets lower priorities have their share while there are jobs of
// higher ones: which priority a claim is of is drawn by these weights, among
// those that have jobs. One that is not named weighs 1. Default: strictly the
// highest first.
func Weighted(weights map[int]int) ConsumerOption {
	return consumerOption(func(o *consumerOptions) { o.weights = maps.Clone(weights) })
}

// Note says something of the consumer to whoever lists the consumers.
func Note(s string) ConsumerOption { return consumerOption(func(o *consumerOptions) { o.note = s }) }

func consumerSettings(opts []ConsumerOption) (consumerOptions, error) {
	o := consumerOptions{maxAttempts: DefaultMaxAttempts, maxAge: DefaultMaxClaimAge}
	for _, opt := range opts {
		if opt != nil {
			opt.applyConsumer(&o)
		}
	}
	for p, w := range o.weights {
		if p < 0 || p > MaxPriority || w < 1 || w > 1e6 {
			return o, fmt.Errorf("the weight %d of priority %d is out of range", w, p)
		}
	}
	switch {
	case o.prefetch < 0 || o.prefetch > maxPrefetch:
		return o, fmt.Errorf("the prefetch %d is not between 0 and %d", o.prefetch, maxPrefetch)
	case o.maxAttempts < 1:
		return o, fmt.Errorf("the maximum of attempts %d is less than 1", o.maxAttempts)
	case o.maxAge == 0:
		return o, errors.New("the maximum age of a claim is zero")
	case len(o.note) > 1024:
		return o, errors.New("the note is longer than 1024 bytes")
	}
	return o, nil
}

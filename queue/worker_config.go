package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// WorkerConfig says how a Worker works. The zero value is of use.
type WorkerConfig struct {
	// Concurrency is how many jobs are worked on at once. Default: the number
	// of processors that Go uses, at least 4.
	Concurrency int

	// Prefetch is how many jobs are claimed in advance, so that the next one is
	// at hand when a handler is free. Default: what the handlers do in about 100
	// ms, so none for long jobs and up to 1,000 for the shortest; what turns out
	// to be too much is handed back. Negative means none.
	Prefetch int

	// Timeout bounds how long a handler may take for a job: its context then
	// ends with ErrJobTimeout. Default: no bound but the claim's, see
	// MaxClaimAge, which is twice Timeout where that is more than its default.
	Timeout time.Duration

	// MaxAttempts is how often a job is tried before it becomes a dead letter.
	// Default DefaultMaxAttempts.
	MaxAttempts int

	// After its first failure a job waits for RetryMin, and twice as long each
	// time until that is RetryMax, less a random part of up to half of it.
	// Default one second and 10 minutes. Retry, where it is given, decides
	// instead; j is the job as it was delivered.
	RetryMin, RetryMax time.Duration
	Retry              func(j Job, err error) time.Duration

	// StopTimeout is how long handlers may go on after the context of Run has
	// ended. Default 30 s; negative means as long as it takes.
	StopTimeout time.Duration
	// KillTimeout is how long Run waits for handlers whose context has ended.
	// Default 10 s; negative means as long as it takes.
	KillTimeout time.Duration

	// Drain has Run return nil when the queue is empty: no job is ready, claimed
	// by anybody, or delayed.
	Drain bool

	// Middleware is called around every job, the first one outermost.
	Middleware []Middleware

	// Observe, where it is given, is told how each delivery ended. It is called
	// from many goroutines and is not to block.
	Observe func(Outcome)

	// Consumer has further options of the consumer: Weighted, MaxClaimAge, Note.
	Consumer []ConsumerOption

	// Logger is told of failures. Default: the queue's.
	Logger *slog.Logger
}

// Defaults of a worker.
const (
	// DefaultRetryMin and DefaultRetryMax bound the time between attempts.
	DefaultRetryMin = time.Second
	DefaultRetryMax = 10 * time.Minute
	// DefaultStopTimeout is how long handlers may go on after a soft stop.
	DefaultStopTimeout = 30 * time.Second
	// DefaultKillTimeout is how long Run waits for handlers after a hard stop.
	DefaultKillTimeout = 10 * time.Second

	maxConcurrency = 10000
)

// settings gives the configuration with its defaults filled in.
func (c WorkerConfig) settings() (WorkerConfig, error) {
	byDefault(&c.Concurrency, max(runtime.GOMAXPROCS(0), 4))
	byDefault(&c.MaxAttempts, DefaultMaxAttempts)
	byDefault(&c.RetryMin, DefaultRetryMin)
	byDefault(&c.RetryMax, max(DefaultRetryMax, c.RetryMin))
	byDefault(&c.StopTimeout, DefaultStopTimeout)
	byDefault(&c.KillTimeout, DefaultKillTimeout)
	switch {
	case c.Concurrency < 0 || c.Concurrency > maxConcurrency:
		return c, fmt.Errorf("the concurrency %d is not between 1 and %d", c.Concurrency, maxConcurrency)
	case c.Timeout < 0:
		return c, fmt.Errorf("the timeout of a job is negative: %v", c.Timeout)
	case c.RetryMin < 0 || c.RetryMax < c.RetryMin || c.RetryMax > maxDelay:
		return c, fmt.Errorf("the time between attempts, from %v to %v, is out of range", c.RetryMin, c.RetryMax)
	case slices.ContainsFunc(c.Middleware, func(m Middleware) bool { return m == nil }):
		return c, errors.New("a middleware is nil")
	}
	return c, nil
}

func byDefault[V comparable](v *V, d V) {
	var zero V
	if *v == zero {
		*v = d
	}
}

// consumerOptions makes the options of the worker's consumer.
func (c WorkerConfig) consumerOptions() []ConsumerOption {
	opts := []ConsumerOption{
		MaxAttempts(c.MaxAttempts),
		Prefetch(max(c.Prefetch, 0)),
		MaxClaimAge(max(DefaultMaxClaimAge, 2*min(c.Timeout, maxDelay))),
	}
	return append(opts, c.Consumer...)
}

// retryIn is how long a job that failed waits.
func (c WorkerConfig) retryIn(j Job, err error) time.Duration {
	if c.Retry != nil {
		return min(max(c.Retry(j, err), 0), maxDelay)
	}
	d := c.RetryMin
	for n := 1; n < j.Attempt && d < c.RetryMax; n++ {
		d *= 2
	}
	d = min(d, c.RetryMax)
	return d - rand.N(d/2+1)
}

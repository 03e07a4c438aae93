package queue

import (
	"context"
	"errors"
	"log/slog"
)

// What no constructor has made, zero values and nil pointers, fails with a clear
// error at every call.

var (
	errUnmadeConsumer = errors.New("the Consumer was not made by Queue.Consumer")
	errUnmadeWorker   = errors.New("the Worker was not made by NewWorker")
)

// unmade is the core of a Queue that was not made by New.
var unmade = &core{bad: errors.New("the Queue was not made by New"), log: slog.New(slog.DiscardHandler)}

// made gives q, or a queue whose every call is an error where q is not one of New's.
func (q *Queue[T]) made() *Queue[T] {
	if q == nil || q.core == nil {
		return &Queue[T]{core: unmade, codec: noCodec[T]{unmade.bad}}
	}
	return q
}

// made gives c, or one that has ended where c is not one of Queue.Consumer's.
func (c *Consumer[T]) made() *Consumer[T] {
	if c == nil || c.consumer == nil {
		life, end := context.WithCancelCause(context.Background())
		end(errUnmadeConsumer)
		return &Consumer[T]{consumer: &consumer{q: unmade, life: life}}
	}
	return c
}

// unmade reports whether made has made the consumer up.
func (c *consumer) unmade() bool { return c.q == unmade }

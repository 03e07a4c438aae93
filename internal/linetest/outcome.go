package linetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An Outcome is that of a party's wait.
type Outcome[T any] struct {
	Got T
	Err error
}

// A Settler is a test in a World.
type Settler interface {
	testing.TB
	Settle()
}

// Start has a party wait in a goroutine of its own, and returns once that can't
// get any further by itself.
func Start[T any](w Settler, wait func() (T, error)) <-chan Outcome[T] {
	c := make(chan Outcome[T], 1)
	go func() {
		got, err := wait()
		c <- Outcome[T]{got, err}
	}()
	w.Settle()
	return c
}

// Waits asserts that a wait has not come to an end.
func Waits[T any](t Settler, c <-chan Outcome[T]) {
	t.Helper()
	t.Settle()
	select {
	case o := <-c:
		t.Fatalf("it was successful or failed instead of waiting: %v", o.Err)
	default:
	}
}

// Gets waits for a wait to succeed.
func Gets[T any](t testing.TB, c <-chan Outcome[T]) T {
	t.Helper()
	o := outcome(t, c)
	require.NoError(t, o.Err)
	return o.Got
}

// Fails waits for a wait to fail.
func Fails[T any](t testing.TB, c <-chan Outcome[T]) error {
	t.Helper()
	o := outcome(t, c)
	require.Error(t, o.Err)
	require.Zero(t, o.Got)
	return o.Err
}

func outcome[T any](t testing.TB, c <-chan Outcome[T]) Outcome[T] {
	t.Helper()
	select {
	case o := <-c:
		return o
	case <-time.After(time.Minute):
		t.Fatal("no outcome within a minute")
		return Outcome[T]{}
	}
}

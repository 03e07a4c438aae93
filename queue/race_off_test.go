//go:build !race

package queue_test

// stride is how many transactions the sweep goes on by, and what other numbers
// are divided by under the race detector.
const stride = 1

//go:build race

package queue_test

// stride is how many transactions the sweep goes on by: under the race
// detector, which is slow, not each of them.
const stride = 5

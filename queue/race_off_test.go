//go:build !race

package queue_test

// stride is how many transactions the sweep goes on by.
const stride = 1

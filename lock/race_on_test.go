//go:build race

package lock_test

// The race detector makes everything ten times as slow, so the tests that go
// through many cases go through fewer.
const underRace = true

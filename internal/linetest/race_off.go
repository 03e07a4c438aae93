//go:build !race

package linetest

// UnderRace says that the race detector watches, which makes tests slow.
const UnderRace = false
